// RequestIntake: the request that is arriving on a connection, or that arrived last: it parses the
// bytes, sends the body where it belongs, and counts the body's memory. It reads no descriptor and
// calls no application. It owns the request; the handler uses it, on any thread, from
// begin_exchange() until its response is complete, and nothing here touches it meanwhile.
//
// [loop], unless a function says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "http/message.h"
#include "http/parse/forwarded.h"
#include "http/parse/request_reader.h"
#include "http/server/server_state.h"
#include "http/server/stream.h"

namespace bentohost::http {

// The two ends of a connection.
struct Peer {
  std::string client, server;  // as in Request
  ListenerRole role = ListenerRole::kPublic;
};

class RequestIntake {
 public:
  enum class BodyMode : std::uint8_t {
    kWhole,      // it goes into the request
    kInflating,  // the same, but a thread has the reader's backlog: nothing is read meanwhile
    kStreamed,   // it goes to the handler, piece by piece
    kTunnel,     // there is no body: raw bytes go to the handler
    kPaused,     // as the two before, but the buffer is full, or it has failed: nothing is read
  };

  RequestIntake(const ServerState& server, Peer peer, std::string_view scheme);

  const std::string& client() const { return client_; }  // the peer; a request may name another
  Request& request() { return request_; }
  const Request& request() const { return request_; }
  const RequestReader& reader() const { return reader_; }
  RequestReader::State state() const { return reader_.state(); }
  BodyMode mode() const { return mode_; }
  bool is_inflating() const { return mode_ == BodyMode::kInflating; }
  // [any] As Exchange::body_bytes().
  std::size_t body_bytes() const { return body_bytes_.load(std::memory_order_relaxed); }

  // ---- a request, step by step
  // Takes what it can of `bytes`, as RequestReader::feed() does. If there is no memory for a body,
  // only that request fails: 503.
  Result<std::size_t> feed(std::string_view bytes);
  // At kHeadDone: begins a new request, with the client and scheme that a trusted proxy forwards.
  void begin_head(TimePoint now) {
    request_.arrived = now;
    request_.body.clear();
    body_bytes_ = 0;
    request_.client = client_;
    request_.scheme = scheme_;
    apply_forwarded(server_.proxies, request_);
  }
  // Then: takes the body as `plan` says. Keeps the plan's target.
  Status begin_body(BodyPlan&& plan) {
    target_ = std::move(plan.target);
    const std::size_t max_body = plan.max_body != 0 ? plan.max_body : server_.limits.max_body;
    return reader_.begin_body(max_body, request_, plan.streamed ? piece_ : request_.body);
  }
  // The body goes to `stream` from now on.
  void begin_stream() { mode_ = BodyMode::kStreamed; }
  // As feed(), for a streamed body: hands its bytes to `stream` at once, and pauses when the stream
  // is full. After an error, no more of the body must be fed.
  Result<std::size_t> feed_stream(std::string_view bytes, Stream& stream);
  // The application is about to get the request, whole or not.
  void begin_exchange(TimePoint now) {
    count_body();
    request_.is_arriving = state() != RequestReader::State::kDone;
    request_.completed = request_.is_arriving ? TimePoint() : now;
  }
  // The request is refused: clears the previous request's data, so that reports do not show it.
  void refuse(TimePoint now);
  // The response is complete: frees a large body, and releases the memory counted for it.
  void end_exchange();
  void begin_request() { reader_.begin_request(); }

  // ---- a streamed body
  bool wants_stream_bytes() const {
    return mode_ == BodyMode::kTunnel ||
           (mode_ == BodyMode::kStreamed && state() == RequestReader::State::kBody);
  }
  // Whether compressed bytes are left: the handler has no room for more now, or this turn has
  // inflated its share.
  bool has_stream_backlog() const {
    return mode_ == BodyMode::kStreamed && state() == RequestReader::State::kInflating;
  }
  void pause() { mode_ = BodyMode::kPaused; }
  // False if it was not paused.
  bool resume();

  // ---- a tunnel: after the request, its connection's bytes are no request's any more
  bool is_tunnel() const { return is_tunnel_; }
  void begin_tunnel() {
    is_tunnel_ = true;
    mode_ = BodyMode::kTunnel;
  }
  // Hands all bytes to `stream`, and pauses when it is full.
  void feed_tunnel(std::string_view bytes, Stream& stream);

  // ---- a whole body that a thread inflates: until restore(), `memory()` is the thread's
  std::unique_ptr<RequestReader::Backlog> take_backlog();
  void keep_no_backlog() { mode_ = BodyMode::kWhole; }  // no thread has taken it
  void restore(std::unique_ptr<RequestReader::Backlog> backlog);

  // The memory counted for the request's body, for as long as its handler may have it.
  Reservation& memory() { return memory_; }
  // The target of the BodyPlan, until the handler takes it.
  std::shared_ptr<const void> take_target() { return std::move(target_); }
  void drop_target() { target_.reset(); }

 private:
  void count_body() { body_bytes_.store(reader_.body_bytes(), std::memory_order_relaxed); }

  const ServerState& server_;
  const std::string client_;
  const std::string_view scheme_;
  RequestReader reader_;
  Request request_;
  std::shared_ptr<const void> target_;
  std::string piece_;  // of a streamed body, on its way to the handler
  std::atomic<std::size_t> body_bytes_ = 0;
  BodyMode mode_ = BodyMode::kWhole;
  bool is_tunnel_ = false;
  Reservation memory_;
};

}  // namespace bentohost::http
