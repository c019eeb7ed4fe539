// OutputFd: a descriptor that lines are written to without waiting for whoever reads them: of a
// pipe or a terminal whose reader stands still, of a socket. What O_NONBLOCK would do, but that
// flag belongs to everybody who has the descriptor, our parent included. A file is just written to.
// Does not own the descriptor. One thread at a time.
#pragma once

#include <sys/stat.h>

#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost {

class OutputFd {
 public:
  explicit OutputFd(int fd) : fd_(fd) { adopt(); }

  // As write(2), with EAGAIN where nothing can be taken now. What cannot be opened anew (the pipe
  // of another user) is written to as it is, and may wait.
  ssize_t write(std::string_view text);
  // Whether it takes something within `longest`.
  bool wait_writable(Duration longest);

 private:
  void adopt();

  const int fd_;
  bool known_ = false;
  struct stat seen_ {};  // the file that fd_ stood for
  bool socket_ = false;
  UniqueFd own_;  // the same pipe or terminal, opened anew: the flag of this one is ours
};

}  // namespace bentohost
