// SignalStack: a stack of its own for the signal handlers of one thread, so that even a stack
// overflow can be reported. Made at the thread's beginning and destroyed at its end, on it.
#pragma once

#include <signal.h>

namespace bentohost {

class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;  // null: there is none, and overflows go without a report
  stack_t before_{};
};

}  // namespace bentohost
