// AccessLog: one line a request, written by a thread of its own in batches, so that neither a
// request nor its latency pays for a slow disk. The queue is bounded; what does not fit is counted,
// not waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace bentohost::observe {

struct AccessRecord {
  std::string_view client, method, path, route, request_id;
  int status = 0;
  std::size_t request_bytes = 0, response_bytes = 0;  // bodies
  Duration took{};
};

class AccessLog {
 public:
  static constexpr std::size_t kMaxQueuedBytes = 4u << 20;

  // Writes to `fd` (1 in production), which it does not own. `dropped` is told how many lines were
  // lost, to a full queue, a failing write or a reader that does not read; [any thread]. Of the
  // latter two is warned once a minute.
  AccessLog(int fd, LogFormat format, std::function<void(std::size_t)> dropped);
  ~AccessLog();  // writes what is queued; a reader that does not read holds it up for a second

  // Formats into the queue; never blocks on I/O. Text, one line:
  // 2026-11-22T21:07:02.123Z 127.0.0.1:37194 "POST /classify" 200 19 3 0.180ms request_id=5f1c...
  // JSON:
  // {"time":...,"client":...,"method":...,"path":...,"route":...,"status":200,"request_bytes":19,
  //        "response_bytes":3,"duration_ms":0.180,"request_id":...}
  void write(const AccessRecord& record);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bentohost::observe
