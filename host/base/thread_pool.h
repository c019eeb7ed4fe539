// ThreadPool: runs jobs that may block for long. As many as there are seats run at once; one that
// is about to wait (for a runner, a slow client) hands its seat on with a Blocking scope, and one
// that waits without saying so loses it to a job that has been kept for kPatience. So there are as
// many threads as jobs that wait, up to `max_threads`, and few that run. Threads start on demand
// and end after ten idle seconds. run() from any thread; stop() once.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "base/clock.h"

namespace bentohost {

class ThreadPool {
 public:
  using Job = std::function<void()>;
  // How long a job is kept from running by others that hold all seats.
  static constexpr Duration kPatience = std::chrono::milliseconds(5);

  ThreadPool(std::size_t max_threads, std::size_t seats);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void run(Job job);
  // Runs the jobs that still wait on the calling thread, then gives those that run until `deadline`
  // to return. Threads that do not are left behind; they touch nothing of the pool's that can go
  // away. Returns their number. No run() afterwards.
  std::size_t stop(TimePoint deadline);

  // While one lives, this thread's job has no seat. On other threads it does nothing.
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

  std::shared_ptr<State> state_;
};

}  // namespace bentohost
