// TimerQueue: the deadlines of an event loop's objects, in a heap in which each timer knows its
// place. Most requests postpone a deadline several times and few reach it, so postponing costs
// nothing: the timer is moved when its old time comes. One thread; time is an argument.
#pragma once

#include <cstddef>
#include <vector>

#include "base/clock.h"

namespace bentohost {

class TimerQueue;

// One deadline of its owner. on_timer() may set the timer again or destroy it.
class Timer {
 public:
  class Owner {
   public:
    virtual void on_timer() = 0;

   protected:
    ~Owner() = default;
  };

  Timer(TimerQueue& queue, Owner& owner) : queue_(queue), owner_(owner) {}
  ~Timer() { remove(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(TimePoint when);  // kNoDeadline: never
  // Also leaves the queue: afterwards the timer may be destroyed on another thread.
  void clear();
  TimePoint when() const { return when_; }

 private:
  friend class TimerQueue;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  void remove();

  TimerQueue& queue_;
  Owner& owner_;
  TimePoint when_ = kNoDeadline;    // the owner's deadline
  TimePoint queued_ = kNoDeadline;  // its key in the heap: never later than when_
  std::size_t place_ = kNowhere;
};

class TimerQueue {
 public:
  // Not later than the first deadline; kNoDeadline when there is none.
  TimePoint next() const { return heap_.empty() ? kNoDeadline : heap_.front()->queued_; }
  // Fires the timers that are due.
  void run(TimePoint now);

 private:
  friend class Timer;
  void put(Timer& timer, std::size_t place);
  void rise(std::size_t place);
  void sink(std::size_t place);
  void erase(Timer& timer);

  std::vector<Timer*> heap_;
};

}  // namespace bentohost
