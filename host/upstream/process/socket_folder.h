// SocketFolder: a private folder (mode 0700) for the Unix sockets of apps, with a fresh name for
// each start: at a used name, a process that was forgotten might answer. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace bentohost::upstream {

class SocketFolder {
 public:
  // Makes the folder below `parent`; "" means the first usable one of $XDG_RUNTIME_DIR, $TMPDIR and
  // /tmp that leaves a socket's path short enough. Errors name the folder and what is wrong with
  // it.
  static Result<SocketFolder> create(const std::string& parent = "");
  SocketFolder(SocketFolder&& other) noexcept;
  SocketFolder& operator=(SocketFolder&& other) noexcept;
  ~SocketFolder();  // removes the folder and what is in it

  const std::string& path() const { return path_; }
  // A path that was never returned before. The folder is made anew if somebody has removed it.
  Result<std::string> fresh();

 private:
  explicit SocketFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::uint64_t last_ = 0;
};

}  // namespace bentohost::upstream
