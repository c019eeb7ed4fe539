// ThreadPool: runs jobs that may block for long, each on a thread of its own while there are fewer
// than `max_threads`; further jobs wait their turn. Threads start on demand and end after ten idle
// seconds. run() from any thread; stop() once.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "base/clock.h"

namespace bentohost::http {

class ThreadPool {
 public:
  using Job = std::function<void()>;

  explicit ThreadPool(std::size_t max_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void run(Job job);
  // Runs the jobs that still wait on the calling thread, then gives those that run until `deadline`
  // to return. Threads that do not are left behind; they touch nothing of the pool's that can go
  // away. Returns their number. No run() afterwards.
  std::size_t stop(TimePoint deadline);

 private:
  struct State;
  static void* thread_main(void* state);

  std::shared_ptr<State> state_;
};

}  // namespace bentohost::http
