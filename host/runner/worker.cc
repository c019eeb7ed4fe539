#include "runner/worker.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/mutex.h"
#include "base/process/low_priority.h"

namespace bentohost::runner {

std::size_t PipeWriter::write_some(const char* data, std::size_t length) {
  std::size_t sent = 0;
  while (sent < length) {
    const ssize_t n = ::write(fd_.get(), data + sent, length - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return sent;
    if (n < 0) return length;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

Status PipeWriter::watch(std::function<void()> on_closed) {
  const MutexLock lock(mutex_);
  return loop_.watch(fd_.get(), 0, [this, on_closed = std::move(on_closed)](std::uint32_t events) {
    if ((events & EPOLLERR) != 0) return on_closed();
    flush();
  });
}

void PipeWriter::send(const AlignedBuffer& frame) {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  const bool was_empty = rest_.empty();
  if (rest_sent_ > rest_.size() / 2) {  // a busy pipe may never be all sent
    rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(rest_sent_));
    rest_sent_ = 0;
  }
  const std::size_t sent = was_empty ? write_some(frame.data(), frame.size()) : 0;
  rest_.insert(rest_.end(), frame.begin() + static_cast<std::ptrdiff_t>(sent), frame.end());
  if (was_empty && !rest_.empty()) loop_.set_events(fd_.get(), EPOLLOUT);
}

void PipeWriter::flush() {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  rest_sent_ += write_some(rest_.data() + rest_sent_, rest_.size() - rest_sent_);
  if (rest_sent_ < rest_.size()) return;
  AlignedBuffer().swap(rest_);
  rest_sent_ = 0;
  loop_.set_events(fd_.get(), 0);
}

void PipeWriter::close() {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
}

void Worker::kill(TimePoint now, std::string why) {
  killed_for = std::move(why);
  killed_at = now;
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  if (is_low_priority) restore_priority(pid);  // we wait for its end
}

}  // namespace bentohost::runner
