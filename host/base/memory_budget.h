// MemoryBudget: how many bytes all who share it may hold together, and Reservation, the part of it
// that one of them holds. It counts what it is told; it allocates nothing.
#pragma once

#include <atomic>
#include <cstddef>

namespace bentohost {

// Any thread. Outlives its reservations.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t max) : max_(max) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // False, and nothing is taken, when that would be more than there is.
  bool take(std::size_t bytes) {
    std::size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > max_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t max() const { return max_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> used_ = 0;
};

// One thread at a time.
class Reservation {
 public:
  // What is smaller costs nothing, and is not counted: a usual request is.
  static constexpr std::size_t kUncounted = 4096;

  // Null: there is no bound.
  explicit Reservation(MemoryBudget* budget) : budget_(budget) {}
  ~Reservation() { release(); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Holds at least `bytes` from now on. False: there are not so many, and it holds what it held.
  bool grow_to(std::size_t bytes) {
    if (bytes <= held_ || bytes <= kUncounted || budget_ == nullptr) return true;
    if (!budget_->take(bytes - held_)) return false;
    held_ = bytes;
    return true;
  }
  void release() {
    if (held_ != 0) budget_->give_back(held_);
    held_ = 0;
  }

 private:
  MemoryBudget* const budget_;
  std::size_t held_ = 0;
};

}  // namespace bentohost
