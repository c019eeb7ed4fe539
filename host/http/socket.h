// Socket: an accepted TCP connection, with the few system calls that we make on it. One thread at a
// time, but for the shutdown functions, which other threads use to end its waits. Never raises
// SIGPIPE.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost::http {

// What became of a read.
struct Received {
  enum class Kind { kBytes, kEnd, kTimeout, kBroken };
  Kind kind;
  std::size_t size = 0;  // of kBytes
};

class Socket {
 public:
  // `wait` bounds await(), `write_timeout` bounds how long send() waits for the peer to take more
  // bytes.
  Socket(UniqueFd fd, Duration wait, Duration write_timeout);

  // One blocking recv(), bounded by the constructor's `wait`: for the time between requests.
  Received await(char* to, std::size_t size);
  // The same, bounded by `timeout`, and without a system call more when bytes are there already.
  Received receive(char* to, std::size_t size, Duration timeout);
  // Sends both, in one call when the kernel has room. False when the peer is gone or too slow.
  bool send(std::string_view first, std::string_view second = {});

  // Ends a wait for bytes, now or later; what has arrived can still be read. Any thread.
  void shutdown_reading() const;
  void shutdown_writing() const;
  // Ends reads and writes alike. Any thread.
  void cut() const;
  bool has_unread_bytes() const;

  std::string peer_name() const;  // "127.0.0.1:51034"
  std::string local_name() const;

 private:
  UniqueFd fd_;
};

}  // namespace bentohost::http
