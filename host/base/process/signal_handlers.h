// Signal handlers for a process whose plugins may start programs. A program inherits the signals
// that its parent ignores (SIG_IGN) or blocks, so a SIGTERM that we ignored or blocked could not
// end it either. Signals that the parent handles, exec(2) resets to the default. So nothing is
// ignored or blocked here: a signal that must not end this process has a handler.
#pragma once

#include <initializer_list>

namespace bentohost {

// `handler` must be async-signal-safe. It runs on whichever thread the kernel picks: the main
// thread, unless that is handling another signal. Interrupted system calls go on (SA_RESTART). In a
// forked child that has not called exec, the signal has its default effect. Call at most once for
// each process and signal, except with the same handler.
void handle_signals(std::initializer_list<int> numbers, void (*handler)(int number));
// The same with a handler that does nothing.
void make_harmless(std::initializer_list<int> numbers);
// Unblocks all signals in this thread and in those that it will start.
void unblock_signals();

}  // namespace bentohost
