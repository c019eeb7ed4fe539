// RequestReader: makes one request after the other of a connection's bytes, as they come: head,
// framing, limits, content coding, body. Pure: bytes in, values out; time and sockets are the
// connection's business. One thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/parse/dechunker.h"
#include "http/parse/head.h"
#include "http/parse/inflater.h"

namespace bentohost::http {

class RequestReader {
 public:
  explicit RequestReader(const HeadLimits& limits) : limits_(limits), scanner_(limits) {}

  enum class State {
    kIdle,       // no byte of a request yet
    kHead,       // within its head
    kHeadDone,   // begin_body() is due
    kBody,       // within its body
    kInflating,  // the same, and what has arrived of it is not inflated yet
    kDone,       // complete; begin_request() starts the next
  };

  State state() const { return state_; }
  const Framing& framing() const { return framing_; }

  // Takes what it can use of `bytes`, which begin where the last call stopped: bytes that it did
  // not take are offered again, with more behind them. It stops at kHeadDone and kDone. After an
  // error (http_status() is the answer) the connection cannot be used for another request.
  Result<std::size_t> feed(std::string_view bytes, Request& request);

  // At kHeadDone. Body bytes go to `body`, de-chunked and inflated. 413 when more is announced than
  // `max_body`, 415 for a content coding that is not known here. Of an inflated body, `request`
  // loses the headers Content-Encoding and Content-Length, which are not true of it any more.
  Status begin_body(std::size_t max_body, Request& request, std::string& body);
  std::size_t body_bytes() const { return body_bytes_; }  // taken of the wire

  // A few bytes may stand for many, and inflating them may take long. Of one body, feed() makes
  // about kInflatedAtOnce, and leaves the rest at kInflating: there it takes no bytes, and each
  // call makes as much again. Or what is left is taken away, to be inflated by another thread, and
  // brought back.
  static constexpr std::size_t kInflatedAtOnce = 128u << 10;
  struct Backlog {
    Inflater inflater;
    std::string coded, body;
    Status status;  // why it cannot be inflated

    // [any] `grows(body size)` is asked after each kInflatedAtOnce; what it refuses with, ends it.
    void inflate(const std::function<Status(std::size_t)>& grows);
  };
  // At kInflating. Until restore(), nothing but state() may be called.
  std::unique_ptr<Backlog> take_backlog();
  // Then feed() goes on, or fails with its status.
  void restore(std::unique_ptr<Backlog> backlog);

  void begin_request();
  // What to answer when the bytes end here: nothing (OK) between requests, else 400.
  Status at_end() const;

 private:
  Result<std::size_t> feed_head(std::string_view bytes, Request& request);
  Result<std::size_t> feed_body(std::string_view bytes);
  Result<std::size_t> take(std::string_view bytes, std::string& to);
  Status inflate();

  const HeadLimits& limits_;
  State state_ = State::kIdle;
  HeadScanner scanner_;
  Framing framing_;
  std::size_t left_ = 0;  // of a sized body
  std::optional<Dechunker> dechunker_;
  std::optional<Inflater> inflater_;  // of a coded body
  std::string coded_;                 // of it, not inflated yet
  std::size_t coded_at_ = 0;          // ... from here on
  std::size_t allowance_ = kInflatedAtOnce;
  bool has_all_ = false;  // the body has arrived
  Status broken_;         // what stands behind coded_
  std::string* body_ = nullptr;
  std::size_t body_bytes_ = 0;
};

}  // namespace bentohost::http
