// MemoryBudget: the number of bytes that all its users may hold together. Reservation: the part
// that one user holds. They only count; they allocate nothing.
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

  // False, and nothing is taken, when fewer bytes are left.
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
  // Reservations up to this size are not counted, and so cost nothing: usual requests are as small.
  static constexpr std::size_t kUncounted = 4096;

  // Null: no bound.
  explicit Reservation(MemoryBudget* budget) : budget_(budget) {}
  ~Reservation() { release(); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Holds at least `bytes` from now on. False: fewer are left, and the reservation stays as it was.
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
