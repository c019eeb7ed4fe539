// Stream: for APIs that read their body as it comes, or write their answer piece by piece. Part of
// <bento/bento.hpp>.
//
//   svc.api("upload", [](bento::Context& ctx, bento::Stream& stream) {...});
//
// Memory stays constant: receive() and send() wait for the slower side. When the client is gone
// they throw Disconnected, which a handler lets pass: it ends there, and nobody is told. What else
// a handler throws is the answer if none has begun; after that the answer is cut off, so that the
// client sees it is not whole. One thread: the handler's.
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

// Nobody listens any more.
class Disconnected : public Error {
 public:
  Disconnected() : Error(BENTO_CANCELLED, "the client is gone") {}
};

class Stream {
 public:
  explicit Stream(bento_channel* channel) : channel_(channel) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // [waits] The next piece of the body, never empty, valid until the next call; nothing at its end.
  // Throws the error of a body that is none: too long (413), too slow (408), malformed (400).
  std::optional<std::string_view> receive() {
    while (!body_ended_) {
      bento_event event = make_event(BENTO_REQUEST_BODY);
      bento_error error = detail::make_error();
      detail::check(channel_->receive(channel_, &event, &error), error);
      if (event.type == BENTO_DISCONNECT) throw Disconnected();
      body_ended_ = event.more == 0;
      if (event.body.len != 0) {
        return std::string_view(static_cast<const char*>(event.body.ptr), event.body.len);
      }
    }
    return std::nullopt;
  }

  // The same as a range: for (std::string_view piece : stream.body()) ...
  class Body;
  Body body();

  // The answer's status and headers, once; they go out with the first piece. A Content-Length says
  // how long it will be and is held against what is sent.
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

  // [waits] A piece of the answer, which is 200 and application/octet-stream if nothing was
  // started. No bytes send the head alone.
  void send(std::string_view bytes) { put(bytes, true); }
  // The last piece. An answer that is whole with it has a Content-Length. Afterwards the request's
  // headers and path are gone. A handler that just returns ends the answer that it started.
  void end(std::string_view bytes = {}) { put(bytes, false); }

  // Whether a piece of the answer has gone out, so that no error can take its place.
  bool is_under_way() const { return state_ == State::kStreaming || state_ == State::kEnded; }

  // Runs a handler on it, to the end of its answer.
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
  enum class State { kNothing, kStarted, kStreaming, kEnded };

  static bento_event make_event(std::uint32_t type) {
    bento_event event{};
    event.size = sizeof event;
    event.type = type;
    return event;
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
