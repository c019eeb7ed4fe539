// Spawner: the seam through which a pool gets worker processes. The real one starts `bentohost
// runner` with Poco::Process; tests hand out pipes whose other ends they hold themselves.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::runner {

// The host's ends of a worker process. The descriptors are non-blocking and close-on-exec.
struct Child {
  int pid = -1;    // -1: no process (tests)
  UniqueFd to;     // its stdin: frames
  UniqueFd from;   // its stdout: frames
  UniqueFd err;    // its stderr: lines
  UniqueFd pidfd;  // readable when it has ended; may be absent
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // [loop] The process dies with the thread that calls this: it must be one that lives as long as
  // the host.
  virtual Result<Child> spawn(const std::string& runner, std::uint32_t worker) = 0;
};

class ProcessSpawner final : public Spawner {
 public:
  // `exe` is this program's own file, `plugin_path` absolute.
  ProcessSpawner(std::string exe, std::string plugin_path)
      : exe_(std::move(exe)), plugin_path_(std::move(plugin_path)) {}
  Result<Child> spawn(const std::string& runner, std::uint32_t worker) override;

 private:
  std::string exe_, plugin_path_;
};

}  // namespace bentohost::runner
