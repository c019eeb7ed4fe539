#include "runner/frame_pipe.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace bentohost::runner {
namespace {

constexpr std::chrono::steady_clock::duration kLookAgain = std::chrono::milliseconds(1);
// While another thread reads, the main thread still has metrics to report.
constexpr std::chrono::milliseconds kMainWait{250};

bool is_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  return ::poll(&readable, 1, 0) != 0;
}

}  // namespace

std::optional<FramePipe::Next> FramePipe::take_kept() {
  if (!kept_.empty()) {
    current_ = std::move(kept_.front());
    kept_.pop_front();
    return Next{Next::What::kFrame,
                {current_.header, {current_.body.data(), current_.body.size()}}};
  }
  if (std::exchange(has_news_, false)) return Next{Next::What::kNews, {}};
  if (has_ended_) return Next{Next::What::kEnd, {}};
  return std::nullopt;
}

Result<FramePipe::Next> FramePipe::read(bool waits, const std::function<void(int)>& before_wait) {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (!broken_.ok() && kept_.empty()) return broken_;
      if (auto kept = take_kept()) return *kept;
      if (is_reading_) {
        if (!waits) return Next{};
        const auto until = std::chrono::steady_clock::now() + kMainWait;
        if (changed_.wait_until(mutex_, until) == std::cv_status::timeout)
          return Next{Next::What::kNews, {}};
        continue;
      }
      is_reading_ = true;
    }
    auto next = read_frame(waits, before_wait);
    const MutexLock lock(mutex_);
    is_reading_ = false;
    changed_.notify_all();
    return next;
  }
}

Result<FramePipe::Next> FramePipe::read_frame(bool waits,
                                              const std::function<void(int)>& before_wait) {
  is_lent_ = false;
  bool has_news = false;
  for (;;) {
    auto frame = readers_[reader_].next();
    if (!frame.ok()) return std::move(frame).take_status();
    if ((*frame).has_value()) {
      if (tell(**frame)) {
        has_news = true;
        continue;
      }
      is_lent_ = true;
      return Next{Next::What::kFrame, **frame};
    }
    if (has_news) {
      const MutexLock lock(mutex_);
      has_news_ = false;
      return Next{Next::What::kNews, {}};
    }
    if (waits) {
      before_wait(in_.get());
    } else if (!is_readable(in_.get())) {
      return Next{};
    }
    if (!fill()) return Next{Next::What::kEnd, {}};
  }
}

// Reads once. False at the end.
bool FramePipe::fill() {
  wire::FrameReader& reader = readers_[reader_];
  const std::span<char> room = reader.writable();
  for (;;) {
    const ssize_t n = ::read(in_.get(), room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      reader.commit(static_cast<std::size_t>(n));
      return true;
    }
    end({});
    return false;
  }
}

void FramePipe::end(Status why) {
  const MutexLock lock(mutex_);
  has_ended_ = true;
  broken_ = std::move(why);
  changed_.notify_all();
}

// Whether the frame is news. A malformed one breaks the protocol.
bool FramePipe::tell(const wire::FrameReader::Frame& frame) {
  if (frame.header.type == wire::FrameType::kCancel) {
    news_.on_cancel(frame.header.id);
  } else if (frame.header.type == wire::FrameType::kRoom) {
    const auto room = wire::decode_room(frame.body);
    if (room.ok()) {
      news_.on_room(frame.header.id, *room);
    } else {
      end(room.status());
    }
  } else {
    return false;
  }
  const MutexLock lock(mutex_);
  has_news_ = true;
  return true;
}

// The main thread's frame stays where it is: what follows it is read into the other reader.
void FramePipe::read_aside(bool waits) {
  if (std::exchange(is_lent_, false)) {
    readers_[reader_].move_rest(readers_[1 - reader_]);
    reader_ = 1 - reader_;
  }
  bool has_come = keep_frames();
  while (is_readable(in_.get())) {
    if (!fill()) return;
    has_come = true;
    (void)keep_frames();
  }
  if (!waits || has_come) return;
  pollfd readable{in_.get(), POLLIN, 0};
  (void)::poll(&readable, 1, static_cast<int>(kMainWait.count()));
}

// Whether there were any.
bool FramePipe::keep_frames() {
  for (bool any = false;; any = true) {
    auto frame = readers_[reader_].next();
    if (!frame.ok()) {
      end(frame.status());
      return any;
    }
    if (!(*frame).has_value()) return any;
    if (tell(**frame)) continue;
    Kept kept{(**frame).header, {}};
    kept.body.assign((**frame).body.begin(), (**frame).body.end());
    const MutexLock lock(mutex_);
    kept_.push_back(std::move(kept));
  }
}

void FramePipe::look() {
  {
    const MutexLock lock(mutex_);
    if (is_reading_ || has_ended_) return;
    is_reading_ = true;
  }
  read_aside(false);
  const MutexLock lock(mutex_);
  is_reading_ = false;
  changed_.notify_all();
}

void FramePipe::look_sometimes() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  auto last = looked_at_.load(std::memory_order_relaxed);
  if (now.count() - last < kLookAgain.count()) return;
  if (looked_at_.compare_exchange_strong(last, now.count())) look();
}

bool FramePipe::write(AlignedBuffer& frame) {
  const MutexLock lock(write_mutex_);
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::write(out_.get(), frame.data() + sent, frame.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  frame.clear();
  return true;
}

}  // namespace bentohost::runner
