// AccessLog: one line per request, written in batches by a thread of its own, so that a slow disk
// delays no request. The queue is bounded; lines that do not fit are counted and dropped.
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

  // Writes to `fd` (1 in production), which it does not own. Calls `dropped`, on any thread, with
  // the number of lines lost to a full queue, a failed write or a reader that does not read. For
  // the latter two it logs a warning at most once a minute.
  AccessLog(int fd, LogFormat format, std::function<void(std::size_t)> dropped);
  ~AccessLog();  // writes the queued lines; waits at most a second for a reader that does not read

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
