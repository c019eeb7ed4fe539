// Request, Response, Exchange, Application: the HTTP types that other rooms use. No sockets.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost {
class EventLoop;
}

namespace bentohost::http {

struct Header {
  std::string name, value;
};
// In the order of the wire, duplicates kept. Request header names are in lower case.
using Headers = std::vector<Header>;

// The first value of `name` (lower case), or empty.
std::string_view find_header(const Headers& headers, std::string_view name);

bool has_header(const Headers& headers, std::string_view name);

// Whether the response has no body on the wire: to HEAD, and with status 204, 205 and 304 (RFC 9110
// 6.4.1 and 15.3.6).
bool is_bodiless(std::string_view method, int status);

// The values of all fields of that name, in order, joined by ", ", as RFC 9110 5.3 reads a list
// field that is sent in several lines. Empty if the message has no field of that name.
std::string joined_header(const Headers& headers, std::string_view name);

// Which kind of listener a request came in at.
enum class ListenerRole { kPublic, kAdmin };

struct Request {
  std::string method;   // as sent: "GET", "POST", ...
  std::string target;   // as sent: "/classify?x=1"
  std::string path;     // before '?', decoded, without dot segments; "*" for OPTIONS *
  std::string query;    // raw, after '?'
  std::string version;  // "HTTP/1.1"
  std::string client;   // "127.0.0.1:51034"; "unix"
  std::string server;   // "127.0.0.1:3000", the local end
  std::string_view scheme = "http";
  ListenerRole role = ListenerRole::kPublic;
  Headers headers;
  std::string body;          // whole and de-chunked; empty for a streamed one
  TimePoint arrived;         // when the head was complete
  TimePoint completed;       // when the body was complete, too
  bool is_arriving = false;  // streamed: the body is not complete yet
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: no Content-Type header
  std::string body;
  Headers headers;     // all but Content-Type, Content-Length, Connection and Date
  bool close = false;  // close the connection after this response
  std::shared_ptr<const Status> failure = {};  // the error that it was made from, if any

  static Response text(int status, std::string body) {
    return {status, "text/plain; charset=utf-8", std::move(body), {}};
  }
  static Response json(int status, std::string body) {
    return {status, "application/json", std::move(body), {}};
  }
};

// 503: --max-body-memory is used up.
Status no_body_memory();

struct ReceivedBody {
  std::string bytes;
  bool more = false;
};

// Supplies the response if nobody else has responded in time.
class DeadlineResponder {
 public:
  // [loop] The response; nothing if one is already on its way.
  virtual std::optional<Response> late() = 0;
  // [loop] A streamed body has arrived whole. Returns the new deadline of the response.
  virtual TimePoint on_whole_body(TimePoint now) = 0;

 protected:
  ~DeadlineResponder() = default;
};

// What code that answers on the loop, and so never waits, is told instead. [loop] Never called from
// within a call of the exchange.
class StreamEvents {
 public:
  // receive() has bytes, the end of the body, or an error.
  virtual void on_body() = 0;
  // has_room() was false, and is true again.
  virtual void on_room() = 0;
  // Once, if it comes to that: cancelled() is true now. The response must still be completed.
  virtual void on_cancelled() = 0;

 protected:
  ~StreamEvents() = default;
};

// One request and its response, which is either whole (respond) or streamed (start, then write
// until `more` is false). The response may come from within the handler's call or later, from any
// thread, but one thread at a time. When it is complete, neither the exchange nor its request may
// be touched. What the server does with the connection meanwhile does not concern its users.
class Exchange {
 public:
  virtual const Request& request() const = 0;
  // Moves the body out of a request whose body is whole.
  virtual std::string take_body() = 0;
  // [any] How many bytes of the body have arrived, as they were sent, streamed or not.
  virtual std::size_t body_bytes() const = 0;
  // [loop] Call within the handler's call: moves BodyPlan::target out.
  virtual std::shared_ptr<const void> take_target() { return nullptr; }

  // Call before respond() or start(): the response has a header X-Request-Id with this value, which
  // is made of letters, digits, '-', '_' and '.'.
  virtual void set_request_id(std::string_view /*id*/) {}

  // It may move from `response`, as each layer of exchanges around a connection passes it on.
  virtual void respond(Response&& response) = 0;

  // [loop] Within the handler's call: whether the body is streamed, as Application::plan() wanted.
  virtual bool is_body_streamed() const { return false; }

  // [loop] Call within the handler's call, for a request that came whole, if its response may be
  // streamed.
  virtual void allow_stream() = 0;

  // [worker] (waits) For a body that Application::plan() wants streamed: the bytes that came since
  // the last call, until `more` is false. An error says why no more will come: http_status() 408,
  // 413 or 400, or CANCELLED if the client is gone.
  virtual Result<ReceivedBody> receive() = 0;

  // [worker] (waits) Starts a streamed response; response.body is its first piece. A Content-Length
  // among the headers is its length; without one, it is chunked (or ends with the connection, for
  // HTTP/1.0). write() waits while the client is slower than we are. CANCELLED: nobody reads any
  // more, but the last write() must still be called.
  virtual Status start(Response response) = 0;
  virtual Status write(std::string_view bytes, bool more) = 0;
  // Instead of the last write(): aborts a started response, so that the client sees its end is
  // missing.
  virtual void abort() = 0;

  // [loop] Call within the handler's call, to answer without a thread: on the loop that is
  // returned. From then on receive(), start() and write() do not wait: receive() returns no bytes,
  // and `more`, when none have come, and a body that is whole in one piece; write() takes all
  // bytes, but code should write no more while has_room() is false. With the status 101, start()
  // turns the connection into a tunnel: receive() and write() then move its raw bytes until one
  // side ends. Null: this exchange belongs to a thread. `events` is kept until the response is
  // complete.
  virtual EventLoop* answer_on_loop(std::shared_ptr<StreamEvents> /*events*/) { return nullptr; }
  virtual bool has_room() const { return true; }

  // Call before the last piece of the response. [loop] `f` is called once, when all of the response
  // has been sent to the client, or never will be.
  virtual void after_sent(std::function<void()> f) = 0;
  // [loop] Call within the handler's call. If no response has begun at `when`, `late` responds, and
  // the connection closes. The handler must respond all the same, but in vain.
  virtual void answer_by(TimePoint when, std::shared_ptr<DeadlineResponder> late) = 0;
  // [any] Makes that deadline `when` if that is earlier.
  virtual void tighten_deadline(TimePoint when) = 0;

  // Becomes true, for good, when the client is gone (see HalfClose) or `late` has responded. The
  // flag may outlive the exchange.
  virtual std::shared_ptr<const std::atomic<bool>> cancelled() const = 0;

 protected:
  ~Exchange() = default;
};

// How to receive a request's body.
struct BodyPlan {
  std::size_t max_body = 0;  // bytes as sent and as inflated; 0: the server's limit
  bool streamed = false;     // handle() is called at once; receive() returns the body
  // The target that the application found for the request. The server keeps it until handle(), or
  // until the request fails.
  std::shared_ptr<const void> target = {};
};

// Why the server does not hand a request to handle().
struct Refusal {
  Status status;            // http_status() is the response's
  Headers headers;          // for the response
  std::string_view reason;  // a label: "body_size", "header_timeout"
};

// The application that the server serves: the service room, or a test. [loop] Must not block.
class Application {
 public:
  // Called when the head is complete.
  virtual BodyPlan plan(const Request& request) = 0;
  // Called when the request is complete.
  virtual void handle(Exchange& exchange) = 0;
  // Called instead of handle() for a request that failed: responds with the refusal before it
  // returns. If the head is malformed, the request has the parts that were understood, and no
  // target. It never has its body. The connection closes after the response.
  virtual void refuse(Exchange& exchange, Refusal refusal) = 0;
  // A client that was too slow, or one too many, was cut off without a response.
  virtual void aborted(std::string_view reason) = 0;
  // [any] Reports how many connections are open now.
  virtual void connections(std::size_t open) = 0;

 protected:
  ~Application() = default;
};

}  // namespace bentohost::http
