// ConnectionIo: the bytes of one connection: input that has arrived and is not taken yet, and
// output that waits to be sent. It knows whether the descriptor may be ready, but nothing about
// requests. One thread at a time: the connection's loop. It owns the transport, and registers its
// descriptor with crash_responses.h.
//
// The descriptor is watched edge-triggered: it counts as readable from an event until a read finds
// nothing more, and is written to as soon as there is output. During one turn of the connection,
// unread bytes stay where the read has put them: in a buffer that all connections of a loop share.
// park() moves them out of the buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "http/net/transport.h"
#include "http/server/crash_responses.h"

namespace bentohost::http {

// Output that waits for the client to take it.
struct WriteWait {
  TimePoint since{};      // when it began to wait; epoch: no output waits
  TimePoint progress{};   // when some of it was last sent
  std::size_t bytes = 0;  // sent since then

  bool is_waiting() const { return since != TimePoint{}; }
};

class ConnectionIo {
 public:
  explicit ConnectionIo(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  int fd() const { return transport_->fd(); }  // until close()
  bool is_secure() const { return is_secure_; }

  // ---- from the beginning to the end of the connection
  void open();
  // Destroys the transport and drops unread bytes; unsent bytes stay, but are never sent.
  void close();

  // ---- readiness
  void on_events(std::uint32_t epoll_events);
  // There may be bytes to read.
  bool is_readable() const { return readable_; }
  // Reads nothing until the next event.
  void stop_reading() { readable_ = false; }

  // ---- reading
  // Reads once, into `buffer`, and appends the bytes to the unread ones. After kPlain the transport
  // speaks without TLS.
  Received::Kind read(std::span<char> buffer);
  // Reads once and drops the bytes. Also kBroken when more was dropped than is worth waiting for.
  Received::Kind drop(std::span<char> buffer);
  std::string_view unread() const { return unread_; }
  void take(std::size_t size) { unread_.remove_prefix(size); }
  void drop_unread() { unread_ = {}; }
  // Moves unread bytes out of the shared buffer, and frees memory that is not needed.
  void park() {
    if (!unread_.empty() || !in_.empty()) keep_unread();
  }

  // ---- writing
  // The output to append to. It is sent first, then the body of append_body().
  std::string& output() { return out_; }
  // Sends `body` after output(); nothing more may be appended until flush() returns kSent.
  void append_body(std::string&& body);
  std::size_t unsent() const { return out_.size() - out_sent_ + out_body_.size() - body_sent_; }
  // Whether so little output waits that the response to a pipelined request may be added to it.
  bool has_room() const { return unsent() < kMaxPipelined && out_body_.empty(); }

  enum class Flush {
    kIdle,    // there was nothing to send
    kSent,    // everything was sent
    kWaits,   // some is left: an event will tell when to go on
    kBroken,  // the connection is broken
  };
  Flush flush(TimePoint now);
  const WriteWait& write_wait() const { return write_wait_; }

  // A request waits for its response: if the process crashes before flush() has sent a byte of it,
  // the crash answers it. Not behind other output, and not over TLS. See crash_responses.h.
  void await_answer(bool head_only) {
    if (unsent() != 0 || is_secure_) return;
    http::await_answer(fd(), head_only);
    is_awaited_ = true;
  }

  // ---- ending
  // Sends FIN. Bytes that the client still sends can be read.
  void shutdown_writing() { transport_->shutdown_writing(); }
  // The same; from then on drop() must read the bytes that the client still sends: a close that
  // leaves bytes unread sends RST, and the peer may lose our last response.
  void linger();

 private:
  // Pipelined requests are answered while less output than this waits to be sent.
  static constexpr std::size_t kMaxPipelined = 64u << 10;
  // A body up to this size is copied behind its head; a larger one is sent from its own memory.
  static constexpr std::size_t kMaxCopied = 16u << 10;

  void keep_unread();
  Received receive(std::span<char> buffer);

  std::unique_ptr<Transport> transport_;
  bool is_secure_ = transport_->is_secure();
  bool readable_ = true;
  bool has_ended_ = false;   // the client has ended its side
  bool is_awaited_ = false;  // a crash would answer

  std::string in_;           // input that is not taken yet, between two turns
  std::string_view unread_;  // the same during a turn: in in_ or in the loop's buffer
  std::size_t dropped_ = 0;  // since linger()

  std::string out_, out_body_;
  std::size_t out_sent_ = 0, body_sent_ = 0;
  WriteWait write_wait_;
};

}  // namespace bentohost::http
