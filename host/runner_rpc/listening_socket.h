// ListeningSocket: a Unix socket that listens, and its file (mode 0600), which is removed at the
// end unless another process has put its own in its place meanwhile. One thread at a time.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::runner_rpc {

class ListeningSocket {
 public:
  // Whether a socket at this path on which another process listens is an error, or is replaced: so
  // a process that takes over from another one leaves no moment without a listener.
  enum class IfTaken { kRefuse, kReplace };

  // Replaces a socket file on which no process listens any more. UNAVAILABLE says why the socket
  // could not be opened.
  static Result<ListeningSocket> open(const std::string& path, IfTaken if_taken);
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  ListeningSocket(UniqueFd fd, std::string path, dev_t device, ino_t inode)
      : fd_(std::move(fd)), path_(std::move(path)), device_(device), inode_(inode) {}

  UniqueFd fd_;
  std::string path_;  // empty: moved from
  dev_t device_;
  ino_t inode_;
};

}  // namespace bentohost::runner_rpc
