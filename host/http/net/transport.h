// Transport: reads and writes the bytes of one connection, plain or TLS, without blocking. The
// descriptor is watched edge-triggered for reading and writing: read until nothing is left, write
// until refused. After an event of either kind try both again: TLS may have to write before it can
// read. If the event has EPOLLRDHUP, read until kEnd or kBroken, since no further event announces
// an end that came with the last bytes. One thread at a time: the loop that owns the connection.
// Never raises SIGPIPE.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace bentohost::http {

// The result of a read.
struct Received {
  enum class Kind {
    kBytes,
    kAgain,   // nothing now: wait for an event
    kEnd,     // the peer will send no more
    kBroken,  // reset, or not TLS
    kPlain,   // for TLS: the peer speaks plain HTTP; nothing of it was read
  };
  Kind kind;
  std::size_t size = 0;  // of kBytes
  bool more = false;     // of kBytes: read again before waiting for an event
};

// The result of a write: it took `size` bytes. If those are not all, wait for an event, unless it
// is broken.
struct Sent {
  std::size_t size = 0;
  bool broken = false;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // `size` must not be 0.
  virtual Received read(char* to, std::size_t size) = 0;
  // Writes both parts, one after the other. Offer bytes that were not taken again; they may have
  // moved to another address.
  virtual Sent write(std::string_view first, std::string_view second) = 0;
  // Tells the peer that we send no more (FIN, in TLS after close_notify). Reading still works.
  virtual void shutdown_writing() = 0;
  virtual int fd() const = 0;
  virtual bool is_secure() const = 0;
  // Whether the TLS handshake is done; read() goes on with it. Always true without TLS.
  virtual bool is_established() { return true; }
  // After kPlain: the same connection without TLS. Do not use this one afterwards.
  virtual std::unique_ptr<Transport> without_tls() { return nullptr; }
  // The subject of the client's verified certificate, in the form of RFC 2253: "CN=ada,O=Example".
  // Printable ASCII. Empty if the client sent no certificate, or if the handshake is not done.
  virtual std::string client_subject() const { return {}; }
  // Why it broke, in words for a log, if known: "peer did not return a certificate".
  virtual std::string failure() const { return {}; }
};

// TCP or a Unix socket. `fd` is non-blocking.
std::unique_ptr<Transport> plain_transport(UniqueFd fd);

}  // namespace bentohost::http
