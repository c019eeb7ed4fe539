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

void Ticket::end(Status status, Kept result) {
  const auto self = shared_from_this();
  if (mark_ended(std::move(status), std::move(result))) deliver();
}

bool Ticket::mark_ended(Status status, Kept result) {
  const MutexLock lock(mutex_);
  if (std::exchange(has_ended_, true)) return false;
  status_ = std::move(status);
  result_ = std::move(result);
  ended_.notify_all();
  if (!wake_) return false;
  EventLoop* const loop = waiter_.scope->loop();
  if (loop == EventLoop::current() && current_call == nullptr) return true;
  // Under the lock: a loop of a thread lives only until the scope has forgotten the wake.
  loop->post([self = shared_from_this()] { self->deliver(); });
  return false;
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
    wake = std::exchange(wake_, {});
  }
  if (wake) waiter_.scope->wake(wake);
}

bool Ticket::when(void (*wake)(void*), void* arg) {
  if (waiter_.scope == nullptr) return false;  // next() waits, on this thread
  {
    const MutexLock lock(mutex_);
    if (has_ended_) return false;
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
  await();
  if (!status_.ok()) return status_;
  return results();
}

Result<bento_ticket::Results> Ticket::next() {
  const MutexLock lock(mutex_);
  if (!has_ended_ && waiter_.scope != nullptr) return Status(BENTO_PENDING, {});
  await();
  if (!status_.ok()) return status_;
  if (std::exchange(is_taken_, true)) return Results();
  return results();
}

void Ticket::await() {
  if (has_ended_) return;
  const ThreadPool::Blocking blocking;
  const bool may_never_end =
      waiter_.cancelled != nullptr || waiter_.deadline != kNoDeadline || ends_at_ != kNoDeadline;
  while (!has_ended_) {
    if (!may_never_end) {
      ended_.wait(mutex_);
    } else if (!end_in_time()) {
      const TimePoint until = std::min(ends_at_, waiter_.deadline);
      ended_.wait_until(mutex_,
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

bento_ticket::Results Ticket::results() {
  if (pointers_.empty()) {
    for (const bento_value& value : result_.values) pointers_.push_back(&value);
  }
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
    cancelled_ = why;
  }
  end(why);
}

}  // namespace bentohost::plugin
