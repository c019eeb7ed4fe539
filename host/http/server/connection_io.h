// ConnectionIo: the bytes of one connection: what has arrived and is not taken yet, and what waits
// to be sent. It knows whether the descriptor may be ready. It knows nothing of requests. One
// thread at a time: the connection's loop. It owns the transport, and answers for its descriptor
// towards crash_responses.h.
//
// The descriptor is watched edge-triggered: it counts as readable from an event until a read finds
// nothing more, and is written to as soon as there is output. What is unread lies, during one turn
// of the connection, where the read has put it: in a buffer that all connections of a loop share.
// park() moves it out of there.
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
  TimePoint since{};      // when it began to wait; the epoch: none does
  TimePoint progress{};   // when some of it last went out
  std::size_t bytes = 0;  // that went out since

  bool is_waiting() const { return since != TimePoint{}; }
};

class ConnectionIo {
 public:
  explicit ConnectionIo(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  int fd() const { return transport_->fd(); }  // until close()
  bool is_secure() const { return is_secure_; }

  // ---- from the beginning to the end of the connection
  void open();
  // The transport and what is unread are gone afterwards; what is unsent stays, for nobody.
  void close();

  // ---- readiness
  void on_events(std::uint32_t epoll_events);
  // There may be bytes to read.
  bool is_readable() const { return readable_; }
  // Reads nothing until the next event.
  void stop_reading() { readable_ = false; }

  // ---- reading
  // Reads once, by way of `buffer`, and puts what comes behind what is unread. After kPlain the
  // transport speaks without TLS.
  Received::Kind read(std::span<char> buffer);
  // Reads once and drops what comes. kBroken as well when that was more than is worth the wait.
  Received::Kind drop(std::span<char> buffer);
  std::string_view unread() const { return unread_; }
  void take(std::size_t size) { unread_.remove_prefix(size); }
  void drop_unread() { unread_ = {}; }
  // Moves what is unread out of the shared buffer, and lets go of memory that is not needed.
  void park() {
    if (!unread_.empty() || !in_.empty()) keep_unread();
  }

  // ---- writing
  // What is to be sent, in this order: the end of output(), to append to, and then one body.
  std::string& output() { return out_; }
  // `body` goes out behind output(); after it nothing may be appended until flush() says kSent.
  void append_body(std::string&& body);
  std::size_t unsent() const { return out_.size() - out_sent_ + out_body_.size() - body_sent_; }
  // Little enough waits to be sent that a pipelined request may be answered behind it.
  bool has_room() const { return unsent() < kMaxPipelined && out_body_.empty(); }

  enum class Flush {
    kIdle,    // there was nothing to send
    kSent,    // all has gone out
    kWaits,   // some is left: an event tells when to go on
    kBroken,  // the connection is of no use any more
  };
  Flush flush(TimePoint now);
  const WriteWait& write_wait() const { return write_wait_; }

  // A request waits for the first byte of its answer: should we crash before flush() has sent any,
  // the crash answers it. Not where output is under way, and not over TLS. See crash_responses.h.
  void await_answer(bool head_only) {
    if (unsent() != 0 || is_secure_) return;
    http::await_answer(fd(), head_only);
    is_awaited_ = true;
  }

  // ---- ending
  // FIN. What the client still sends can be read.
  void shutdown_writing() { transport_->shutdown_writing(); }
  // The same, and from then on drop() is to read what the client still sends: a close that leaves
  // bytes unread sends RST, and the peer may lose our last response.
  void linger();

 private:
  // Pipelined requests are answered until so much waits to be sent.
  static constexpr std::size_t kMaxPipelined = 64u << 10;
  // Up to here a body is copied behind its head; beyond, both go out from where they are.
  static constexpr std::size_t kMaxCopied = 16u << 10;

  void keep_unread();
  Received receive(std::span<char> buffer);

  std::unique_ptr<Transport> transport_;
  bool is_secure_ = transport_->is_secure();
  bool readable_ = true;
  bool has_ended_ = false;   // the client has sent all that it will
  bool is_awaited_ = false;  // a crash would answer

  std::string in_;           // arrived, not taken yet, between two turns
  std::string_view unread_;  // the same during one: in in_ or in the loop's buffer
  std::size_t dropped_ = 0;  // since linger()

  std::string out_, out_body_;
  std::size_t out_sent_ = 0, body_sent_ = 0;
  WriteWait write_wait_;
};

}  // namespace bentohost::http
