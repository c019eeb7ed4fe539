// Transport: the bytes of one connection, plain or TLS, never blocking. The descriptor is watched
// edge-triggered for reading and writing: whoever reads goes on until it has all, whoever writes
// until it is refused. After an event of either kind both are tried again: TLS may have to write
// before it can read. With EPOLLRDHUP in it the reading goes on until kEnd or kBroken, since no
// further event tells of an end that came along with the last bytes.
// One thread at a time: the loop that owns the connection. Never raises SIGPIPE.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace bentohost::http {

// What became of a read.
struct Received {
  enum class Kind {
    kBytes,
    kAgain,   // nothing now: an event will tell
    kEnd,     // the peer has sent all that it will
    kBroken,  // reset, or no TLS
    kPlain,   // of a TLS one: the peer speaks plain HTTP, of which nothing was taken
  };
  Kind kind;
  std::size_t size = 0;  // of kBytes
  bool more = false;     // of kBytes: there may be more, so read again before waiting for an event
};

// What became of a write: it took `size` bytes, and, when those are not all, waits for an event or
// is broken.
struct Sent {
  std::size_t size = 0;
  bool broken = false;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // `size` is not 0.
  virtual Received read(char* to, std::size_t size) = 0;
  // Both parts, one after the other; what is not taken is offered again, by then perhaps from
  // another address.
  virtual Sent write(std::string_view first, std::string_view second) = 0;
  // Says that we send no more (FIN; before it close_notify). What the peer still sends can be read.
  virtual void shutdown_writing() = 0;
  virtual int fd() const = 0;
  virtual bool is_secure() const = 0;
  // After kPlain: the same connection without TLS, and this one is not to be used any more.
  virtual std::unique_ptr<Transport> without_tls() { return nullptr; }
  // The subject of the client's certificate, which was verified, as RFC 2253 writes it:
  // "CN=ada,O=Example". Printable ASCII. Empty: there is none, or the handshake is not done.
  virtual std::string client_subject() const { return {}; }
  // What broke it, in words for a log, where that is known: "peer did not return a certificate".
  virtual std::string failure() const { return {}; }
};

// TCP or a Unix socket. `fd` is non-blocking.
std::unique_ptr<Transport> plain_transport(UniqueFd fd);

}  // namespace bentohost::http
