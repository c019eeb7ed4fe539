// The options and objects that all requests share; the lifecycle fills them in.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "http/client/client.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "service/finished_calls.h"
#include "service/open_streams.h"

namespace bentohost::service {

class Background;

struct RequestDeps {
  const Clock& clock;
  observe::Metrics& metrics;
  observe::AccessLog* access_log = nullptr;           // null: off
  Duration timeout = std::chrono::seconds(60);        // of a request, from the end of its body
  Duration body_timeout = std::chrono::seconds(300);  // from its head to the end of its body
  bool debug = false;                                 // clients see the details of 500s, too
  std::size_t max_in_flight = 4096;                   // slots for requests to services; beyond: 503
  std::size_t max_streams = 4096;                     // streamed responses of handlers; beyond: 503
  ThreadPool* threads = nullptr;  // for handlers; null: they run where they are called (tests)
  std::vector<std::string> admin_hosts = {};  // see check_operator()
  MemoryBudget* body_memory = nullptr;        // for the bodies of all requests; null: unlimited
  Background* background = nullptr;           // null: no background tasks (tests)
  http::Client* http_client = nullptr;        // null: no fetches (tests)
  std::atomic<bool> stopping = false;         // readyz says so
  std::atomic<bool> draining = false;         // and no new work is taken
  // Taken by requests to services, not by those for health and metrics. A request keeps its slot
  // until it is answered and its handler has returned, or until a handler begins to stream the
  // response: then it counts among the open streams.
  std::atomic<std::size_t> slots = 0;
  std::atomic<std::size_t> open_streams = 0;
  std::atomic<std::size_t> unanswered = 0;   // requests that a stop waits for
  std::atomic<std::size_t> async_calls = 0;  // of asynchronous handlers, not finished yet
  FinishedCalls finished = {};               // of asynchronous handlers, with `debug`
  OpenStreams streams = {};                  // of asynchronous handlers
};

}  // namespace bentohost::service
