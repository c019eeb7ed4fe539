// Control: one end of the connection between the supervisor and a serving process, a pair of
// SOCK_SEQPACKET sockets: a message is a line of text and arrives whole. That the other side is
// gone is seen as the end of it.
//
// To the supervisor: "ready TEXT" (the text is for systemd's status), "beat" (all event loops have
// turned), "crashing N" (of signal N; it serves no more, but a core dump may keep it for long). To
// the serving process: "stop N" (as if signal N had come), "hand_over" (another one serves from now
// on), "hang" (the watchdog ends you; say where it is). What is not known is ignored, so that the
// two may be of different versions.
//
// One thread at a time, but send() from any.
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
  // Ours and the other's; both close-on-exec.
  static Result<std::pair<Control, UniqueFd>> make();

  int fd() const { return fd_.get(); }
  // Does not wait. False: the other side is gone, or has not read for long.
  bool send(std::string_view message) const;
  // The next message that is there, or nothing.
  std::optional<std::string> receive();
  // The other side is gone, as receive() has found.
  bool has_ended() const { return has_ended_; }

 private:
  UniqueFd fd_;
  bool has_ended_ = false;
};

}  // namespace bentohost::supervise
