#include "plugin/ticket.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/loop/thread_pool.h"
#include "base/process/plugin_call_note.h"

namespace bentohost::plugin {
namespace {

// How long it takes a thread to notice that its request was cancelled.
constexpr Duration kPoll = std::chrono::milliseconds(25);

}  // namespace

TicketPtr Ticket::hand_out() {
  self_ = shared_from_this();
  if (waiter_.scope != nullptr) waiter_.scope->add(*this);
  return TicketPtr(this);
}

void Ticket::end(Status status, Values result) {
  struct Memory {
    Values values;
    std::vector<bento_value> views;
  };
  const auto memory = std::make_shared<Memory>();
  memory->values = std::move(result);
  for (const wire::Value& value : memory->values) memory->views.push_back(value.view());
  end(std::move(status), {memory->views, memory});
}

void Ticket::add(Kept result) {
  const auto self = shared_from_this();
  bool delivers = false;
  {
    const MutexLock lock(mutex_);
    if (has_ended_) return;
    queue_.push_back(std::move(result));
    delivers = tell();
  }
  if (delivers) deliver();
}

void Ticket::end(Status status, Kept result) {
  const auto self = shared_from_this();
  bool delivers = false;
  {
    const MutexLock lock(mutex_);
    delivers = end_locked(std::move(status), std::move(result)) && tell();
  }
  if (delivers) deliver();
}

bool Ticket::end_locked(Status status, Kept result) {
  if (std::exchange(has_ended_, true)) return false;
  status_ = std::move(status);
  if (status_.ok() && !result.values.empty()) queue_.push_back(std::move(result));
  return true;
}

// Wakes who waits. True: the wake is to be delivered here and now, without the lock.
bool Ticket::tell() {
  changed_.notify_all();
  if (!wake_) return false;
  EventLoop* const loop = waiter_.scope->loop();
  if (loop == EventLoop::current() && current_call == nullptr) return true;
  // Under the lock: a loop of a thread lives only until the scope has forgotten the wake.
  loop->post([self = shared_from_this()] { self->deliver(); });
  return false;
}

bool Ticket::mark_ended(Status status) {
  const MutexLock lock(mutex_);
  return end_locked(std::move(status), {}) && tell();
}

void Ticket::reopen() {
  const MutexLock lock(mutex_);
  has_ended_ = !cancelled_.ok();
  status_ = cancelled_;
}

Status Ticket::await_end() {
  const MutexLock lock(mutex_);
  if (!has_ended_ && waiter_.scope != nullptr) return Status(BENTO_PENDING, {});
  await();
  return status_;
}

void Ticket::deliver() {
  Wake wake;
  {
    const MutexLock lock(mutex_);
    // Two results may have been told of, and both been taken by the first wake.
    if (is_due()) wake = std::exchange(wake_, {});
  }
  if (wake) waiter_.scope->wake(wake);
}

bool Ticket::when(void (*wake)(void*), void* arg) {
  if (waiter_.scope == nullptr) return false;  // next() waits, on this thread
  {
    const MutexLock lock(mutex_);
    if (is_due()) return false;
    wake_ = {wake, arg};
  }
  waiter_.scope->on_wait();
  return true;
}

Result<bento_ticket::Results> Ticket::wait() {
  if (waiter_.scope != nullptr) {
    return Status::with_http(500, BENTO_FAILED_PRECONDITION,
                             "wait() would hold up an event loop and all its connections: ask "
                             "when(), and then next()");
  }
  const MutexLock lock(mutex_);
  if (are_others_taken_) {
    return Status(BENTO_FAILED_PRECONDITION,
                  "wait() is for the first result, and next() is past it")
        .as_misuse();
  }
  if (is_first_taken_) return Results(pointers_);
  await();
  if (queue_.empty()) {
    if (!status_.ok()) return status_;
    return Results();
  }
  return show_first();
}

Result<bento_ticket::Results> Ticket::next() {
  std::size_t bytes = 0;
  Results results;
  {
    const MutexLock lock(mutex_);
    if (!is_due() && waiter_.scope != nullptr) return Status(BENTO_PENDING, {});
    await();
    if (queue_.empty()) {
      if (!status_.ok()) return status_;
      return Results();
    }
    are_others_taken_ = std::exchange(is_first_taken_, true);
    results = show_first();
    taken_ = std::move(queue_.front());
    queue_.pop_front();
    bytes = taken_->bytes;
  }
  on_taken(bytes);
  return results;
}

void Ticket::await() {
  if (is_due()) return;
  const ThreadPool::Blocking blocking;
  const bool may_never_end =
      waiter_.cancelled != nullptr || waiter_.deadline != kNoDeadline || ends_at_ != kNoDeadline;
  while (!is_due()) {
    if (!may_never_end) {
      changed_.wait(mutex_);
    } else if (!end_in_time()) {
      const TimePoint until = std::min(ends_at_, waiter_.deadline);
      changed_.wait_until(mutex_,
                          std::min(until, TimePoint(std::chrono::steady_clock::now()) + kPoll));
    }
  }
}

bool Ticket::end_in_time() {
  const TimePoint now = std::chrono::steady_clock::now();
  if (waiter_.cancelled != nullptr && waiter_.cancelled->load()) {
    status_ = Status(BENTO_CANCELLED, "the client is gone");
  } else if (now >= waiter_.deadline && waiter_.deadline <= ends_at_) {
    status_ = Status(BENTO_DEADLINE_EXCEEDED, "the request's deadline has passed");
  } else if (now < ends_at_) {
    return false;
  }
  return has_ended_ = true;
}

bento_ticket::Results Ticket::show_first() {
  pointers_.clear();
  for (const bento_value& value : queue_.front().values) pointers_.push_back(&value);
  return pointers_;
}

void Ticket::release() {
  const auto self = std::exchange(self_, nullptr);
  leave_scope();
  if (waiter_.scope != nullptr) waiter_.scope->remove(*this);
}

void Ticket::leave_scope() {
  {
    const MutexLock lock(mutex_);
    wake_ = {};
  }
  let_go();
}

void Ticket::cancel(const Status& why) {
  if (!ends_when_cancelled()) return;
  let_go();
  {
    const MutexLock lock(mutex_);
    if (!has_ended_) queue_.clear();
    cancelled_ = why;
  }
  end(why);
}

}  // namespace bentohost::plugin
