// Stream: for handlers that read a request's body as it comes, or write their answer piece by
// piece. ASGI's receive and send. Part of <bento/bento.hpp>.
//
//   svc.api("upper", [](bento::Stream& stream) {
//     for (std::string_view piece : stream.body()) stream.send(upper(piece));
//   });
//
// Memory stays constant: receive() and send() wait for the slower side. When the client is gone
// they throw Disconnected. A handler lets that pass: its request is over, and nothing is logged as
// an error. Any other exception is the answer if none has begun; later it cuts the answer off, so
// that the client sees that it is not whole. The request's deadline holds until the answer has
// begun; afterwards only --write-timeout and --min-rate do. One thread, the handler's, of which
// each stream holds one of --threads.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

namespace bento {

// Thrown by a Stream when nobody listens any more: the client is gone, or the answer is one to
// HEAD, which has no body.
class Disconnected : public Error {
 public:
  Disconnected() : Error(BENTO_CANCELLED, "the client is gone") {}
};

// The two directions of one exchange. Made by the SDK, and valid until the handler returns.
class Stream {
 public:
  explicit Stream(bento_channel* channel) : channel_(channel) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // [waits] The next piece of the body, in the sizes in which it comes; never empty, valid until
  // the next call. nullopt at its end, and from then on. Throws Disconnected, and Error for a body
  // that is too long (413), too slow (408) or malformed (400). The body may still be read after the
  // answer has begun, but not after its end.
  std::optional<std::string_view> receive() {
    std::optional<std::string_view> piece;
    (void)poll(piece);
    return piece;
  }

  // The same as a range, once: for (std::string_view piece : stream.body()) ...
  class Body;
  Body body();

  // The answer's status (200 to 599) and headers, once; they go out with the first send(), or
  // end(). All is copied. `content_type` "": none. With a Content-Length among the headers, what is
  // sent has to have that length; otherwise the host frames it. Throws Error, 500, if it has been
  // started already, and for a status or header that cannot be sent. Context::set_status() and
  // add_header() before the first send() are applied over this.
  void start(std::uint32_t status, std::string_view content_type, const Headers& headers = {}) {
    std::vector<bento_pair> pairs = headers.abi();
    if (!content_type.empty()) {
      pairs.insert(pairs.begin(), {detail::str("Content-Type"), detail::str(content_type)});
    }
    bento_event event = make_event(BENTO_RESPONSE_START);
    event.status = status;
    event.headers = {pairs.data(), pairs.size()};
    bento_error error = detail::make_error();
    detail::check(channel_->send(channel_, &event, &error), error);
    state_ = State::kStarted;
  }

  // [waits] A piece of the answer, after which more may follow; it has been copied or written when
  // this returns. If nothing was started, it starts a 200 of application/octet-stream. No bytes
  // send the head alone. Throws Disconnected; Error, 500, after end(), or beyond the
  // Content-Length.
  void send(std::string_view bytes) { put(bytes, true); }
  // [waits] The last piece. Afterwards the request's scope is gone: no header, path or query may be
  // read. A handler that returns without it ends the answer that it has started; one that has
  // started none is answered 500.
  void end(std::string_view bytes = {}) { put(bytes, false); }

  // Whether send() or end() was called, so that no error can take the answer's place.
  bool is_under_way() const { return state_ == State::kStreaming || state_ == State::kEnded; }

  // For the SDK: runs a handler on it, and ends the answer that it leaves open.
  template <typename F>
  void run(F&& handler) {
    try {
      handler();
      if (state_ == State::kStarted || state_ == State::kStreaming) end();
    } catch (const Disconnected&) {
      if (!is_under_way()) throw;
      if (state_ == State::kStreaming) put_last_to_nobody();
    }
  }

 private:
  friend class AsyncStream;
  enum class State { kNothing, kStarted, kStreaming, kEnded };

  static bento_event make_event(std::uint32_t type) {
    bento_event event{};
    event.size = sizeof event;
    event.type = type;
    return event;
  }
  // Receives a piece, or nullopt at the end. False: in a coroutine, as there is nothing yet.
  bool poll(std::optional<std::string_view>& piece) {
    piece.reset();
    while (!body_ended_) {
      bento_event event = make_event(BENTO_REQUEST_BODY);
      bento_error error = detail::make_error();
      const bento_code code = channel_->receive(channel_, &event, &error);
#if BENTO_ABI_TARGET_MINOR >= 1
      if (code == BENTO_PENDING) return false;
      if (code == BENTO_CANCELLED) throw Disconnected();
#endif
      detail::check(code, error);
      if (event.type == BENTO_DISCONNECT) throw Disconnected();
      body_ended_ = event.more == 0;
      if (event.body.len != 0) {
        piece.emplace(static_cast<const char*>(event.body.ptr), event.body.len);
        return true;
      }
    }
    return true;
  }
  bento_code put_body(std::string_view bytes, bool more, bento_error& error) {
    bento_event event = make_event(BENTO_RESPONSE_BODY);
    event.more = more ? 1 : 0;
    event.body = {bytes.data(), bytes.size()};
    return channel_->send(channel_, &event, &error);
  }
  void put(std::string_view bytes, bool more) {
    if (state_ == State::kNothing) start(200, "application/octet-stream");
    bento_error error = detail::make_error();
    const bento_code code = put_body(bytes, more, error);
    if (code == BENTO_OK || code == BENTO_CANCELLED) {
      state_ = more ? State::kStreaming : State::kEnded;
    }
    if (code == BENTO_CANCELLED) throw Disconnected();
    detail::check(code, error);
  }
  void put_last_to_nobody() {
    state_ = State::kEnded;
    bento_error error = detail::make_error();
    (void)put_body({}, false, error);
  }

  bento_channel* channel_;
  bool body_ended_ = false;
  State state_ = State::kNothing;
};

class Stream::Body {
 public:
  class Iterator {
   public:
    explicit Iterator(Stream* stream) : stream_(stream), piece_(stream->receive()) {}
    std::string_view operator*() const { return *piece_; }
    Iterator& operator++() {
      piece_ = stream_->receive();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !piece_.has_value(); }

   private:
    Stream* stream_;
    std::optional<std::string_view> piece_;
  };

  explicit Body(Stream* stream) : stream_(stream) {}
  Iterator begin() const { return Iterator(stream_); }
  std::default_sentinel_t end() const { return {}; }

 private:
  Stream* stream_;
};

inline Stream::Body Stream::body() { return Body(this); }

}  // namespace bento
