#include "base/loop/timer_queue.h"

namespace bentohost {

void Timer::set(TimePoint when) {
  when_ = when;
  if (when_ >= queued_) return;
  queued_ = when_;
  if (place_ == kNowhere) {
    queue_.heap_.push_back(this);
    place_ = queue_.heap_.size() - 1;
  }
  queue_.rise(place_);
}

void Timer::clear() {
  when_ = kNoDeadline;
  remove();
}

void Timer::remove() {
  if (place_ != kNowhere) queue_.erase(*this);
}

void TimerQueue::run(TimePoint now) {
  while (!heap_.empty() && heap_.front()->queued_ <= now) {
    Timer& timer = *heap_.front();
    if (timer.when_ > now) {  // postponed or cleared
      if (timer.when_ == kNoDeadline) {
        erase(timer);
      } else {
        timer.queued_ = timer.when_;
        sink(0);
      }
      continue;
    }
    erase(timer);
    timer.when_ = kNoDeadline;
    timer.owner_.on_timer();  // the timer may be gone now
  }
}

void TimerQueue::put(Timer& timer, std::size_t place) {
  heap_[place] = &timer;
  timer.place_ = place;
}

void TimerQueue::rise(std::size_t place) {
  Timer& timer = *heap_[place];
  while (place > 0) {
    const std::size_t parent = (place - 1) / 2;
    if (heap_[parent]->queued_ <= timer.queued_) break;
    put(*heap_[parent], place);
    place = parent;
  }
  put(timer, place);
}

void TimerQueue::sink(std::size_t place) {
  Timer& timer = *heap_[place];
  while (true) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->queued_ < heap_[child]->queued_) ++child;
    if (timer.queued_ <= heap_[child]->queued_) break;
    put(*heap_[child], place);
    place = child;
  }
  put(timer, place);
}

void TimerQueue::erase(Timer& timer) {
  const std::size_t place = timer.place_;
  Timer* last = heap_.back();
  heap_.pop_back();
  timer.place_ = Timer::kNowhere;
  timer.queued_ = kNoDeadline;
  if (last == &timer) return;
  put(*last, place);
  rise(place);
  sink(last->place_);
}

}  // namespace bentohost
