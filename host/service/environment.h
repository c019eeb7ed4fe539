// What all requests share; the lifecycle fills it in.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

namespace bentohost::service {

class Background;

struct Environment {
  const Clock& clock;
  observe::Metrics& metrics;
  observe::AccessLog* access_log = nullptr;  // null: off
  Duration timeout = std::chrono::seconds(60);
  bool debug = false;                // the details of 500s go to the client too
  std::size_t max_in_flight = 4096;  // requests of APIs; beyond: 503
  ThreadPool* threads = nullptr;     // for handlers; null: they run where they are called (tests)
  std::vector<std::string> admin_hosts = {};  // see check_operator()
  Background* background = nullptr;           // null: there are no background tasks (tests)
  std::atomic<bool> stopping = false;         // readyz says so
  std::atomic<bool> draining = false;         // and no new work is taken
  std::atomic<std::size_t> in_flight = 0;     // of services; health and metrics do not count
};

// Runs what may block; where it is called without threads.
inline void run_on(ThreadPool* threads, ThreadPool::Job job) {
  if (threads == nullptr) return job();
  threads->run(std::move(job));
}

}  // namespace bentohost::service
