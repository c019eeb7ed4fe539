// Exits: what becomes of exit(), _exit(), _Exit() and quick_exit() in code of plugins. This program
// defines these functions, and what is loaded into it calls them here, before a destructor or an
// atexit handler has run beside threads that still serve. (Handlers of atexit() alone would not do:
// they run after those that were registered later, a plugin's own among them, and not for _exit().
// One of them catches what calls exit() within libc, error(3) for example.) The host's own code,
// and children of fork(), exit without a report.
#pragma once

namespace bentohost {

// What is told of an exit, on the thread that calls it, before it takes its course; not for the
// host's own.
using OnExit = void (*)(const char* function, int code);

// Once, before plugins are loaded.
void watch_exits(OnExit on_exit);

// The host's own end, from whatever thread: _exit(), and nobody is told.
[[noreturn]] void end_process(int code);

}  // namespace bentohost
