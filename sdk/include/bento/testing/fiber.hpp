// Fiber: a call that is run by hand: it runs when it is told to, until it waits. Part of
// <bento/testing.hpp>.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace bento::testing::internal {

// A thread, for its stack alone: it and its caller never run at the same time.
class Fiber {
 public:
  explicit Fiber(std::function<void()> function)
      : thread_([this, function = std::move(function)] {
          current() = this;
          wait_for(Turn::kFiber);
          function();
          pass_to(Turn::kOver);
        }) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  // It has to be over.
  ~Fiber() { thread_.join(); }

  // Runs it, until it waits or is over.
  void run() {
    if (is_over()) return;
    pass_to(Turn::kFiber);
    std::unique_lock lock(mutex_);
    passed_.wait(lock, [this] { return turn_ != Turn::kFiber; });
  }
  bool is_over() {
    const std::lock_guard lock(mutex_);
    return turn_ == Turn::kOver;
  }

  // Whether this thread is a fiber's.
  static bool is_current() { return current() != nullptr; }
  // In a fiber: back to who has called run(). False: this is none.
  static bool wait() {
    Fiber* self = current();
    if (self == nullptr) return false;
    self->pass_to(Turn::kCaller);
    self->wait_for(Turn::kFiber);
    return true;
  }

 private:
  enum class Turn { kCaller, kFiber, kOver };

  static Fiber*& current() {
    static thread_local Fiber* fiber = nullptr;
    return fiber;
  }
  void pass_to(Turn turn) {
    const std::lock_guard lock(mutex_);
    turn_ = turn;
    passed_.notify_all();
  }
  void wait_for(Turn turn) {
    std::unique_lock lock(mutex_);
    passed_.wait(lock, [&] { return turn_ == turn; });
  }

  std::mutex mutex_;
  std::condition_variable passed_;
  Turn turn_ = Turn::kCaller;
  std::thread thread_;  // last: it uses the others
};

}  // namespace bento::testing::internal
