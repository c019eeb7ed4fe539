// A room is linked around this, and not run.
int main() { return 0; }
