// Exits: catches exit(), _exit(), _Exit() and quick_exit() in the code of plugins. This program
// defines these functions, so that libraries loaded into it call them here, before any destructor
// or atexit handler runs beside threads that still serve. (An atexit() handler alone would not do:
// it runs after those registered later, a plugin's among them, and not for _exit(). One handler is
// there for calls of exit() within libc, error(3) for example.) The host's own code, and children
// of fork(), exit without a report.
#pragma once

namespace bentohost {

// Called before an exit takes place, on the thread that exits. Not called for the host's own exits.
using OnExit = void (*)(const char* function, int code);

// Call once, before plugins are loaded.
void watch_exits(OnExit on_exit);

// The host's own _exit(), from any thread: `on_exit` is not called.
[[noreturn]] void end_process(int code);

}  // namespace bentohost
