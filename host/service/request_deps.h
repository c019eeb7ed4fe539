// What all requests share; the lifecycle fills it in.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

namespace bentohost::service {

class Background;

struct RequestDeps {
  const Clock& clock;
  observe::Metrics& metrics;
  observe::AccessLog* access_log = nullptr;           // null: off
  Duration timeout = std::chrono::seconds(60);        // of a request, from the end of its body
  Duration body_timeout = std::chrono::seconds(300);  // from its head to the end of its body
  bool debug = false;                                 // the details of 500s go to the client too
  std::size_t max_in_flight = 4096;                   // slots, of requests to services; beyond: 503
  ThreadPool* threads = nullptr;  // for handlers; null: they run where they are called (tests)
  std::vector<std::string> admin_hosts = {};  // see check_operator()
  MemoryBudget* body_memory = nullptr;  // of the bodies of all requests; null: there is no bound
  Background* background = nullptr;     // null: there are no background tasks (tests)
  std::atomic<bool> stopping = false;   // readyz says so
  std::atomic<bool> draining = false;   // and no new work is taken
  // Of requests to services; those for health and metrics do not count. A request has a slot until
  // it is answered and its handler has returned.
  std::atomic<std::size_t> slots = 0;
  std::atomic<std::size_t> unanswered = 0;  // those that a stop waits for
};

}  // namespace bentohost::service
