// The role "guardian" of bentohost, without the rest of it.
#include <string>

#include "base/process/child_stdio.h"
#include "upstream/process/guardian.h"

int main(int argc, char** argv) {
  bentohost::fill_stdio();
  if (argc != 3 || std::string(argv[1]) != "guardian") return 2;
  return bentohost::upstream::run_guardian(std::stoi(argv[2]));
}
