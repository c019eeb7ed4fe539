// Downstream: the client's side of a proxied request, as the proxy needs it. The service room
// implements it around the request's exchange. [loop] All calls come on the loop that
// answer_on_loop() returned, and none of them waits.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/message.h"

namespace bentohost::upstream {

class Downstream {
 public:
  virtual ~Downstream() = default;

  // Its target is what the client sent; its path is what middleware may have changed. Not to be
  // touched after answer(), fail(), abort() or the last write().
  virtual const http::Request& request() const = 0;
  // After answer_on_loop(): the body, if all of it is here. Nothing: it comes from receive().
  virtual std::optional<std::string_view> whole_body() const = 0;
  virtual std::string_view request_id() const = 0;
  // By when the response must begin.
  virtual TimePoint deadline() const = 0;

  // Called once, first. `events` is kept until the response is complete. Null: the exchange belongs
  // to a thread, and cannot be proxied.
  virtual EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) = 0;
  // Whether the body may come out longer or shorter than the request's Content-Length says.
  virtual bool may_change_length() const { return false; }
  // Whether the response's next bytes should be written now; if not, on_room() tells when.
  virtual bool has_room() const = 0;
  // The bytes of the body that came since the last call, until `more` is false. None, and `more`:
  // on_body() tells when there are some. An error says why no more will come.
  virtual Result<http::ReceivedBody> receive() = 0;

  // Responds with a whole response.
  virtual void answer(http::Response&& response) = 0;
  // Starts a streamed response, whose first piece is response.body; then write() until `more` is
  // false. A Content-Length among the headers is its length. With the status 101 the connection
  // becomes a tunnel: receive() and write() move its raw bytes.
  virtual Status start(http::Response response) = 0;
  virtual Status write(std::string_view bytes, bool more) = 0;
  // Instead of the last write(): cuts the response off, so that the client sees its end is missing.
  virtual void abort(const Status& why) = 0;
  // Responds with problem+json, if no response has begun. `headers` go into it.
  virtual void fail(const Status& why, http::Headers headers) = 0;
};

}  // namespace bentohost::upstream
