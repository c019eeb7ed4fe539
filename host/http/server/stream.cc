#include "http/server/stream.h"

#include <utility>

#include "base/loop/thread_pool.h"
#include "base/mutex.h"

namespace bentohost::http {
namespace {

Status cancelled() { return Status(BENTO_CANCELLED, "the client is gone"); }

}  // namespace

void Stream::never_wait() {
  const MutexLock lock(mutex_);
  waits_ = false;
}

void Stream::begin_tunnel() {
  const MutexLock lock(mutex_);
  body_ended_ = false;
  body_status_ = {};
}

bool Stream::give_body(std::string& bytes, bool is_last) {
  const MutexLock lock(mutex_);
  if (body_ended_) return false;
  if (!body_memory_.grow_to(body_.size() + bytes.size())) {
    body_ended_ = true;
    body_status_ = no_body_memory();
  } else if (body_.empty()) {
    body_.swap(bytes);
  } else {
    body_.append(bytes);
  }
  bytes.clear();
  body_ended_ = body_ended_ || is_last;
  changed_.notify_all();
  return body_.size() < kHighWater && body_status_.ok();
}

void Stream::fail_body(Status status) {
  const MutexLock lock(mutex_);
  if (body_ended_) return;
  body_ended_ = true;
  body_status_ = std::move(status);
  changed_.notify_all();
}

Result<ReceivedBody> Stream::take_body(bool& was_full) {
  const MutexLock lock(mutex_);
  if (!is_body_due() && waits_) {
    const ThreadPool::Blocking blocking;
    while (!is_body_due()) changed_.wait(mutex_);
  }
  was_full = body_.size() >= kHighWater;
  if (!body_ended_ && cancelled_) return cancelled();
  if (body_.empty() && !body_status_.ok()) return body_status_;
  const bool more = !body_ended_ || !body_status_.ok();
  body_memory_.release();
  return ReceivedBody{std::exchange(body_, {}), more};
}

Status Stream::give_output(std::string_view bytes, bool& is_first) {
  const MutexLock lock(mutex_);
  if (!is_below_mark() && !cancelled_ && waits_) {
    const ThreadPool::Blocking blocking;
    while (!is_below_mark() && !cancelled_) changed_.wait(mutex_);
  }
  is_first = false;
  if (cancelled_) return cancelled();
  is_first = !std::exchange(is_told_, true);
  output_.append(bytes);
  return {};
}

void Stream::take_output(std::string& out) {
  const MutexLock lock(mutex_);
  out.append(output_);
  unsent_ += output_.size();  // until set_unsent() says what was sent
  output_.clear();
  is_told_ = false;
}

bool Stream::set_unsent(std::size_t unsent) {
  const MutexLock lock(mutex_);
  const bool had_room = is_below_mark();
  unsent_ = unsent;
  if (!had_room) changed_.notify_all();
  return is_below_mark() && std::exchange(is_room_awaited_, false);
}

bool Stream::has_room() {
  const MutexLock lock(mutex_);
  is_room_awaited_ = !is_below_mark();
  return !is_room_awaited_;
}

void Stream::cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  output_.clear();
  changed_.notify_all();
}

bool Stream::is_cancelled() {
  const MutexLock lock(mutex_);
  return cancelled_;
}

}  // namespace bentohost::http
