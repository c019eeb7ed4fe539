// Request, Response and Exchange: what the other rooms know of HTTP. No sockets here.
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

namespace bentohost::http {

struct Header {
  std::string name, value;
};
// In the order of the wire, duplicates kept. Request header names are in lower case.
using Headers = std::vector<Header>;

// The first value of `name` (lower case), or empty.
std::string_view find_header(const Headers& headers, std::string_view name);

bool has_header(const Headers& headers, std::string_view name);

// Whether the answer to a request of that method has no body on the wire: to HEAD, and with 204,
// 205 and 304 (RFC 9110 6.4.1 and 15.3.6).
bool is_bodiless(std::string_view method, int status);

// The values of all fields of that name, in order, joined by ", ": what a list field means when it
// is sent in several lines (RFC 9110 5.3). Empty without any.
std::string joined_header(const Headers& headers, std::string_view name);

// Where a request came in.
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
  TimePoint completed;       // when the body was, too
  bool is_arriving = false;  // the body is not complete yet: it is streamed
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: no Content-Type header
  std::string body;
  Headers headers;     // others; not Content-Type, Content-Length, Connection or Date
  bool close = false;  // end the connection after this response
  std::shared_ptr<const Status> failure = {};  // what it tells of, if it was made of an error

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

// What is to be answered when nobody else has answered in time.
class DeadlineResponder {
 public:
  // [loop] The answer; nothing when there is one on its way.
  virtual std::optional<Response> late() = 0;
  // [loop] A streamed body has arrived whole: when the answer is due now.
  virtual TimePoint on_whole_body(TimePoint now) = 0;

 protected:
  ~DeadlineResponder() = default;
};

// One request on its way to one response, which is either whole (respond) or streamed (start, then
// write until `more` is false). It may come from within the handler's call or later, from any
// thread, but one at a time. When it is complete, neither the exchange nor its request may be
// touched. Whatever the front does with the connection meanwhile is its own business.
class Exchange {
 public:
  virtual const Request& request() const = 0;
  // Moves the body out of a request that has it whole.
  virtual std::string take_body() = 0;
  // [any] The bytes of the body that have arrived, as they were sent, streamed or not.
  virtual std::size_t body_bytes() const = 0;
  // [loop] From within the handler's call: moves BodyPlan::target out.
  virtual std::shared_ptr<const void> take_target() { return nullptr; }

  virtual void respond(Response response) = 0;

  // [loop] From within the handler's call, for a request that came whole: its response may be
  // streamed all the same.
  virtual void allow_stream() = 0;

  // [worker] (waits) For a body that Application::plan() wants streamed: what has come of it since
  // the last call, until `more` is false. An error is the reason why there will be no more: 408,
  // 413, 400 by its http_status(), or CANCELLED when the client has left.
  virtual Result<ReceivedBody> receive() = 0;

  // [worker] (waits) The head of a streamed response: response.body is its first piece. With a
  // Content-Length among the headers that is its length; without, it is chunked (or ends with the
  // connection, for HTTP/1.0). write() waits while the client is slower than we are. CANCELLED:
  // nobody listens any more; the last write() is due all the same.
  virtual Status start(Response response) = 0;
  virtual Status write(std::string_view bytes, bool more) = 0;
  // In place of the last write(): ends a started response so that the client sees it is not whole.
  virtual void abort() = 0;

  // Before the last piece of the answer. [loop] `f` is called once, when all of it has gone out to
  // the client, or never will.
  virtual void after_sent(std::function<void()> f) = 0;
  // [loop] From within the handler's call. An answer that has not begun by then is late's, and is
  // the connection's last. Whoever answers afterwards does so in vain, but has to, as ever.
  virtual void answer_by(TimePoint when, std::shared_ptr<DeadlineResponder> late) = 0;
  // [any] The same, but not later than that.
  virtual void tighten_deadline(TimePoint when) = 0;

  // Turns true when the client will not hear the answer: it has left (see HalfClose), or was
  // answered late. Then it stays so. It outlives the exchange.
  virtual std::shared_ptr<const std::atomic<bool>> cancelled() const = 0;

 protected:
  ~Exchange() = default;
};

// How a request's body is to be taken.
struct BodyPlan {
  std::size_t max_body = 0;  // bytes as sent and as inflated; 0: the front's own limit
  bool streamed = false;     // handle() is called at once, and receive() gives the body
  // What the application has found the request to be for. The front keeps it until handle(), or
  // until the request has come to nothing.
  std::shared_ptr<const void> target = {};
};

// Why a request is not handled: what the front found wrong with it.
struct Refusal {
  Status status;            // http_status() is the answer's
  Headers headers;          // that belong to it
  std::string_view reason;  // a label: "body_size", "header_timeout"
};

// What the front serves: the service room, or a test. [loop] None of these may block.
class Application {
 public:
  // When the head is complete.
  virtual BodyPlan plan(const Request& request) = 0;
  // When the request is.
  virtual void handle(Exchange& exchange) = 0;
  // In place of handle(), for a request that has come to nothing: it is answered with the refusal
  // before this returns. Of one whose head is no head, the request has what was understood of it,
  // and no target; none has its body. Its connection ends with the answer.
  virtual void refuse(Exchange& exchange, Refusal refusal) = 0;
  // A client that was too slow, or one too many, gets no answer, or no more of it.
  virtual void aborted(std::string_view reason) = 0;
  // [any] So many connections are open now.
  virtual void connections(std::size_t open) = 0;

 protected:
  ~Application() = default;
};

}  // namespace bentohost::http
