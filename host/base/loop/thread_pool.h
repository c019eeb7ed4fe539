// ThreadPool: runs jobs that may block for long. As many as there are permits run at once; one that
// is about to wait (for a runner, a slow client) hands its permit on with a Blocking scope, and one
// that waits without saying so loses it to a job that has been kept for kPatience. So there are as
// many threads as jobs that wait, up to `max_threads`, and few that run. Threads start on demand
// and end after ten idle seconds. The jobs that wait for a thread are bounded in number and in
// bytes. run() from any thread; stop() once.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost {

class ThreadPool {
 public:
  // Either run() or drop() is called, once, and then it is destroyed: drop() in place of run() when
  // nobody wants it any more at its start, or when the pool stops before that. Neither throws.
  class Job {
   public:
    // `bytes`: the memory that it holds while it waits.
    explicit Job(std::size_t bytes = 0) : bytes_(bytes) {}
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    std::size_t bytes() const { return bytes_; }
    // [any] Brief, and without locks: it may be asked under the pool's own.
    virtual bool is_wanted() const { return true; }
    virtual void run() = 0;
    // On a thread of the pool's, on one that calls run() of the pool, or on the one that stops it.
    virtual void drop() = 0;

   private:
    const std::size_t bytes_;
  };

  struct Options {
    std::size_t max_threads = 1;
    std::size_t permits = 1;
    std::size_t kept_threads = 0;  // started at once, and kept: for what must not lack one later
    // Of the jobs that wait for a thread.
    std::size_t max_waiting = std::numeric_limits<std::size_t>::max();
    std::size_t max_waiting_bytes = std::numeric_limits<std::size_t>::max();
  };

  // How long a job is kept from running by others that hold all permits.
  static constexpr Duration kPatience = std::chrono::milliseconds(5);

  explicit ThreadPool(const Options& options);
  ThreadPool(std::size_t max_threads, std::size_t permits)
      : ThreadPool(Options{.max_threads = max_threads, .permits = permits}) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Takes the job, or says why not, and then neither run() nor drop() is called.
  // RESOURCE_EXHAUSTED: too many wait, though those that nobody wants were dropped first.
  // UNAVAILABLE: it needs one more thread, and the system has none to give.
  Status run(std::unique_ptr<Job> job);
  // A function that has to run, whatever happens: where the system has no thread to give it waits
  // for one of ours, and stop() calls it if none has come to it by then.
  void run(std::function<void()> f);

  struct Load {
    std::size_t threads, waiting, waiting_bytes;
  };
  Load load() const;

  // Drops the jobs that still wait, then gives those that run until `deadline` to return. Threads
  // that do not are left behind; they touch nothing of the pool's that can go away. Returns their
  // number. No run() afterwards.
  std::size_t stop(TimePoint deadline);

  // While one lives, this thread's job has no permit. On other threads it does nothing.
  class Blocking {
   public:
    Blocking();
    ~Blocking();
    Blocking(const Blocking&) = delete;
    Blocking& operator=(const Blocking&) = delete;
  };

 private:
  struct State;
  static void* thread_main(void* state);
  Status take(std::unique_ptr<Job> job, bool has_to_run);

  std::shared_ptr<State> state_;
};

}  // namespace bentohost
