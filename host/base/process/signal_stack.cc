#include "base/process/signal_stack.h"

#include <sys/mman.h>

#include <cstddef>

namespace bentohost {
namespace {

// A signal's frame with all vector registers takes some 11 KiB, and the unwinder of a backtrace as
// much. Only pages that are touched cost memory.
constexpr std::size_t kSize = 128u << 10;

}  // namespace

SignalStack::SignalStack() {
  void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kSize;
  if (::sigaltstack(&stack, &before_) == 0) {
    memory_ = memory;
  } else {
    ::munmap(memory, kSize);
  }
}

SignalStack::~SignalStack() {
  if (memory_ == nullptr) return;
  ::sigaltstack(&before_, nullptr);  // a sanitizer has its own stack, and frees it
  ::munmap(memory_, kSize);
}

}  // namespace bentohost
