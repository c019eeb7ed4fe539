// SignalStack: a separate stack for the signal handlers of one thread, so that even a stack
// overflow can be reported. Created and destroyed on that thread, at its start and its end.
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
  void* memory_ = nullptr;  // null: no stack, so overflows are not reported
  stack_t before_{};
};

}  // namespace bentohost
