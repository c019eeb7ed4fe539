// Handlers of signals, in a process whose plugins start programs of their own. A program inherits
// what its parent ignores (SIG_IGN) and blocks, so that nobody could end it with a SIGTERM that we
// ignore or block for ourselves; what its parent handles, exec(2) resets to the default. So nothing
// is ignored or blocked here: what is not to end this process has a handler.
#pragma once

#include <initializer_list>

namespace bentohost {

// `handler` must be async-signal-safe, and is called on whichever thread the kernel takes: the main
// thread, as long as that is not busy with another. System calls that a signal interrupts go on
// (SA_RESTART). In a child that was forked, and has not called exec, the signal does what it does
// by default. At most once for each process and signal, but for the same handler again.
void handle_signals(std::initializer_list<int> numbers, void (*handler)(int number));
// The same with one that does nothing.
void make_harmless(std::initializer_list<int> numbers);
// This thread, and those that it starts, block none.
void unblock_signals();

}  // namespace bentohost
