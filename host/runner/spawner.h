// Spawner: the seam through which a pool gets worker processes. The real one starts `bentohost
// runner` with Poco::Process; tests hand out pipes whose other ends they hold themselves.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "plugin/plugin_file.h"

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
  // `is_gentle`: until it is ready, it uses what others leave of the processor.
  virtual Result<Child> spawn(const std::string& runner, std::uint32_t worker, bool is_gentle) = 0;
};

class ProcessSpawner final : public Spawner {
 public:
  // `exe` is this program's own file.
  ProcessSpawner(std::string exe, plugin::PluginFile file)
      : exe_(std::move(exe)), file_(std::move(file)) {}
  Result<Child> spawn(const std::string& runner, std::uint32_t worker, bool is_gentle) override;

 private:
  std::string exe_;
  plugin::PluginFile file_;
};

}  // namespace bentohost::runner
