// OutputFd: writes lines to a descriptor without waiting for its reader: a pipe or terminal whose
// reader has stopped, or a socket. O_NONBLOCK would do the same, but that flag is shared with
// everybody who has the descriptor, our parent included. Files are written to as usual. Does not
// own the descriptor. One thread at a time.
#pragma once

#include <sys/stat.h>

#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost {

class OutputFd {
 public:
  explicit OutputFd(int fd) : fd_(fd) { adopt(); }

  // As write(2), with EAGAIN when nothing can be written now. A pipe that cannot be opened anew (it
  // belongs to another user) is written to as it is, and that write may wait.
  ssize_t write(std::string_view text);
  // Whether the descriptor becomes writable within `longest`.
  bool wait_writable(Duration longest);

 private:
  void adopt();

  const int fd_;
  bool known_ = false;
  struct stat seen_ {};  // the file that fd_ referred to
  bool socket_ = false;
  UniqueFd own_;  // the same pipe or terminal, opened anew: its O_NONBLOCK is ours alone
};

}  // namespace bentohost
