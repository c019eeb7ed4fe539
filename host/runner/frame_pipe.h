// FramePipe: the worker's ends of the pipes to the host, which are blocking. The main thread reads
// the calls. Frames about calls that are in flight (they are cancelled, there is room for results)
// are read by whichever thread needs them, while the main thread computes.
//
// One thread reads at a time. A call that is read while the main thread computes is kept until it
// asks for the next one, and nothing is moved that it has been given.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/aligned_buffer.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "wire/frame.h"

namespace bentohost::runner {

class FramePipe {
 public:
  // Hears of frames that are no calls. [any, one at a time; within a function of the pipe]
  class News {
   public:
    virtual void on_cancel(std::uint64_t id) = 0;
    virtual void on_room(std::uint64_t id, const wire::Room& room) = 0;

   protected:
    ~News() = default;
  };

  FramePipe(UniqueFd in, UniqueFd out, News& news)
      : in_(std::move(in)), out_(std::move(out)), news_(news) {}

  struct Next {
    enum class What {
      kFrame,    // `frame`, valid until the next read()
      kNews,     // `News` has heard something
      kNothing,  // nothing is there
      kEnd       // the host has closed its end
    };
    What what = What::kNothing;
    wire::FrameReader::Frame frame{};
  };
  // [main] What comes next. `waits`: kNothing is not returned; `before_wait` is called, with the
  // descriptor, whenever bytes are needed that may not be there yet, and may wait for them itself,
  // or return earlier. INVALID_ARGUMENT: the host broke the protocol.
  Result<Next> read(bool waits, const std::function<void(int in)>& before_wait);

  // [any] Reads what is there, without waiting; not if another thread is reading.
  void look();
  // [any] The same, unless it was called less than a millisecond ago.
  void look_sometimes();
  // [any] (waits) Until `is_due`, or the end: then false. Reads meanwhile, unless another thread
  // does. `is_due` is called under a lock; what it depends on is changed by `News`. `meanwhile` is
  // called without one, now and then.
  template <typename F, typename Meanwhile>
  bool wait_until(F&& is_due, Meanwhile&& meanwhile) {
    MutexLock lock(mutex_);
    while (!is_due()) {
      if (has_ended_) return false;
      if (is_reading_) {
        changed_.wait(mutex_);
        continue;
      }
      is_reading_ = true;
      lock.unlock();
      read_aside(true);
      meanwhile();
      lock.lock();
      is_reading_ = false;
      changed_.notify_all();
    }
    return true;
  }

  // [any] Sends the frame, and clears it. False: the host is gone.
  bool write(AlignedBuffer& frame);

 private:
  struct Kept {
    wire::FrameHeader header;
    AlignedBuffer body;
  };

  std::optional<Next> take_kept() BENTO_REQUIRES(mutex_);
  Result<Next> read_frame(bool waits, const std::function<void(int)>& before_wait);
  void read_aside(bool waits);
  bool keep_frames();
  bool tell(const wire::FrameReader::Frame& frame);
  bool fill();
  void end(Status why);

  const UniqueFd in_, out_;
  News& news_;

  // Of the thread that reads. The main thread's frame may be in the one that is not in use.
  wire::FrameReader readers_[2];
  int reader_ = 0;
  bool is_lent_ = false;  // the main thread's frame is in the one that is

  Kept current_;  // main: what read() has returned, if it had been kept

  Mutex mutex_;
  CondVar changed_;
  bool is_reading_ BENTO_GUARDED_BY(mutex_) = false;
  bool has_news_ BENTO_GUARDED_BY(mutex_) = false;
  bool has_ended_ BENTO_GUARDED_BY(mutex_) = false;
  Status broken_ BENTO_GUARDED_BY(mutex_);
  std::deque<Kept> kept_ BENTO_GUARDED_BY(mutex_);
  std::atomic<std::chrono::steady_clock::rep> looked_at_ = 0;

  Mutex write_mutex_;
};

}  // namespace bentohost::runner
