// Control: one end of the connection between the supervisor and a serving process, a pair of
// SOCK_SEQPACKET sockets: a message is a line of text and arrives whole. End of file means that the
// other side is gone.
//
// To the supervisor: "ready TEXT" (the text is for systemd's status), "beat" (all event loops have
// turned), "crashing N" (of signal N; it serves no more, but its core dump may take long). To the
// serving process: "stop N" (as if signal N had come), "hand_over" (another process serves from now
// on), "hang" (the watchdog will kill it: report where it hangs). Unknown messages are ignored, so
// that the two may be of different versions.
//
// One thread at a time; send() from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::supervise {

class Control {
 public:
  Control() = default;
  explicit Control(UniqueFd fd) : fd_(std::move(fd)) {}
  // Our end and the other process's; both close-on-exec.
  static Result<std::pair<Control, UniqueFd>> make();

  int fd() const { return fd_.get(); }
  // Does not wait. False: the other side is gone, or has not read for too long.
  bool send(std::string_view message) const;
  // Does not wait. The next message, or nullopt if none has arrived.
  std::optional<std::string> receive();
  // receive() has seen that the other side is gone.
  bool has_ended() const { return has_ended_; }

 private:
  UniqueFd fd_;
  bool has_ended_ = false;
};

}  // namespace bentohost::supervise
