// RequestReader: turns a connection's bytes into one request after the other, as they come: head,
// framing, limits, content coding, body. Pure: bytes in, values out; the connection handles time
// and sockets. One thread at a time.
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
    kHeadDone,   // call begin_body() next
    kBody,       // within its body
    kInflating,  // within its body, with arrived bytes that are not inflated yet
    kDone,       // complete; begin_request() starts the next
  };

  State state() const { return state_; }
  const Framing& framing() const { return framing_; }

  // Takes the bytes that it can use. `bytes` must begin where the last call stopped: offer bytes
  // that were not taken again, with more behind them. Stops at kHeadDone and kDone. After an error,
  // whose http_status() is the response's, the connection cannot be used for another request.
  Result<std::size_t> feed(std::string_view bytes, Request& request);

  // Call at kHeadDone. Body bytes go to `body`, de-chunked and inflated. 413 if the announced
  // length exceeds `max_body`, 415 for an unknown content coding. If the body is inflated,
  // `request` loses the headers Content-Encoding and Content-Length, which are then wrong.
  Status begin_body(std::size_t max_body, Request& request, std::string& body);
  std::size_t body_bytes() const { return body_bytes_; }  // as sent

  // A few bytes may inflate to many, which may take long. feed() makes about kInflatedAtOnce of a
  // body and leaves the rest, at kInflating: there each call takes no bytes and makes as much
  // again. Or take the rest away, to be inflated by another thread, and restore it.
  static constexpr std::size_t kInflatedAtOnce = 128u << 10;
  struct Backlog {
    Inflater inflater;
    std::string coded, body;
    Status status;  // the error, if it cannot be inflated

    // [any] Calls `grows(body size)` after each kInflatedAtOnce, and stops at an error of it.
    void inflate(const std::function<Status(std::size_t)>& grows);
  };
  // Call at kInflating. Until restore(), call only state().
  std::unique_ptr<Backlog> take_backlog();
  // Afterwards feed() goes on, or fails with the backlog's status.
  void restore(std::unique_ptr<Backlog> backlog);

  void begin_request();
  // The error if the bytes end here: OK between requests, else 400.
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
  std::size_t left_ = 0;  // bytes left of a sized body
  std::optional<Dechunker> dechunker_;
  std::optional<Inflater> inflater_;  // of a coded body
  std::string coded_;                 // bytes of the coded body
  std::size_t coded_at_ = 0;          // not inflated from here on
  std::size_t allowance_ = kInflatedAtOnce;
  bool has_all_ = false;  // the whole body has arrived
  Status broken_;         // an error behind coded_
  std::string* body_ = nullptr;
  std::size_t body_bytes_ = 0;
};

}  // namespace bentohost::http
