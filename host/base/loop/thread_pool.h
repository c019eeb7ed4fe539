// ThreadPool: runs jobs that may block for long. At most as many run at once as there are permits.
// A job that is about to wait (for a runner, a slow client) hands its permit on with a Blocking
// scope. A job that waits without saying so loses its permit to a job that has waited for
// kPatience. So there are as many threads as waiting jobs, up to `max_threads`, and few that run.
// Threads start on demand and end after ten idle seconds. The queue of jobs is bounded in number
// and in bytes. Call run() from any thread, stop() once.
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
  // Either run() or drop() is called, once, then the job is destroyed. drop() is called if nobody
  // wants the job any more when its turn comes, or if the pool stops before that. Neither throws.
  class Job {
   public:
    // `bytes`: the memory that the job holds while it waits.
    explicit Job(std::size_t bytes = 0) : bytes_(bytes) {}
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    std::size_t bytes() const { return bytes_; }
    // [any] Must be brief and take no locks: it may be called under the pool's lock.
    virtual bool is_wanted() const { return true; }
    virtual void run() = 0;
    // Called on a thread of the pool, or on one that calls the pool's run() or stop().
    virtual void drop() = 0;

   private:
    const std::size_t bytes_;
  };

  struct Options {
    std::size_t max_threads = 1;
    std::size_t permits = 1;
    std::size_t kept_threads = 0;  // started at once and kept: for jobs that must get a thread
    // Bounds on the jobs that wait for a thread.
    std::size_t max_waiting = std::numeric_limits<std::size_t>::max();
    std::size_t max_waiting_bytes = std::numeric_limits<std::size_t>::max();
  };

  // How long a job waits for a permit when other jobs hold all of them.
  static constexpr Duration kPatience = std::chrono::milliseconds(5);

  explicit ThreadPool(const Options& options);
  ThreadPool(std::size_t max_threads, std::size_t permits)
      : ThreadPool(Options{.max_threads = max_threads, .permits = permits}) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Takes the job. On an error neither run() nor drop() is called. RESOURCE_EXHAUSTED: too many
  // jobs wait, even after unwanted jobs were dropped. UNAVAILABLE: one more thread is needed, and
  // the system cannot start it.
  Status run(std::unique_ptr<Job> job);
  // For a function that has to run in any case: if the system cannot start a thread, it waits for
  // an existing one, and stop() calls it if it still waits then.
  void run(std::function<void()> f);

  struct Load {
    std::size_t threads, waiting, waiting_bytes;
  };
  Load load() const;

  // Drops the jobs that still wait, then gives the running jobs until `deadline` to return. Threads
  // that do not finish are left behind; they use only state that they share. Returns their number.
  // Do not call run() afterwards.
  std::size_t stop(TimePoint deadline);

  // While it lives, this thread's job has no permit. On threads outside of a pool it does nothing.
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
