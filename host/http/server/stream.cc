#include "http/server/stream.h"

#include <utility>

#include "base/loop/thread_pool.h"

namespace bentohost::http {
namespace {

Status cancelled() { return Status(BENTO_CANCELLED, "the client is gone"); }

}  // namespace

bool Stream::give_body(std::string& bytes, bool is_last) {
  const std::lock_guard lock(mutex_);
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
  const std::lock_guard lock(mutex_);
  if (body_ended_) return;
  body_ended_ = true;
  body_status_ = std::move(status);
  changed_.notify_all();
}

Result<ReceivedBody> Stream::take_body(bool& was_full) {
  std::unique_lock lock(mutex_);
  const auto is_due = [this] { return !body_.empty() || body_ended_ || cancelled_; };
  if (!is_due()) {
    const ThreadPool::Blocking blocking;
    changed_.wait(lock, is_due);
  }
  was_full = body_.size() >= kHighWater;
  if (!body_ended_ && cancelled_) return cancelled();
  if (body_.empty() && !body_status_.ok()) return body_status_;
  const bool more = !body_ended_ || !body_status_.ok();
  body_memory_.release();
  return ReceivedBody{std::exchange(body_, {}), more};
}

Status Stream::give_output(std::string_view bytes, bool& is_first) {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return output_.size() + unsent_ < kHighWater || cancelled_; };
  if (!has_room()) {
    const ThreadPool::Blocking blocking;
    changed_.wait(lock, has_room);
  }
  is_first = false;
  if (cancelled_) return cancelled();
  is_first = !std::exchange(is_told_, true);
  output_.append(bytes);
  return {};
}

void Stream::take_output(std::string& out) {
  const std::lock_guard lock(mutex_);
  out.append(output_);
  output_.clear();
  is_told_ = false;
}

void Stream::set_unsent(std::size_t unsent) {
  const std::lock_guard lock(mutex_);
  const bool had_room = output_.size() + unsent_ < kHighWater;
  unsent_ = unsent;
  if (!had_room) changed_.notify_all();
}

void Stream::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  output_.clear();
  changed_.notify_all();
}

bool Stream::is_cancelled() {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

}  // namespace bentohost::http
