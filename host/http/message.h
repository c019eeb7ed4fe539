// Request, Response and Exchange: what the other rooms know of HTTP. No sockets, no cpp-httplib
// here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace bentohost::http {

struct Header {
  std::string name, value;
};
// In the order of the wire, duplicates kept. Request header names are in lower case.
using Headers = std::vector<Header>;

// The first value of `name` (lower case), or empty.
std::string_view find_header(const Headers& headers, std::string_view name);

struct Request {
  std::string method;   // as sent: "GET", "POST", ...
  std::string target;   // as sent: "/classify?x=1"
  std::string path;     // percent-decoded, before '?'
  std::string query;    // raw, after '?'
  std::string version;  // "HTTP/1.1"
  std::string client;   // "127.0.0.1:51034"
  std::string server;   // "127.0.0.1:3000", the local end
  std::string_view scheme = "http";
  Headers headers;
  std::string body;   // whole; de-chunked
  TimePoint arrived;  // when the head was complete
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: no Content-Type header
  std::string body;
  Headers headers;     // others; not Content-Type, Content-Length, Connection or Date
  bool close = false;  // end the connection after this response

  static Response text(int status, std::string body) {
    return {status, "text/plain; charset=utf-8", std::move(body), {}, false};
  }
  static Response json(int status, std::string body) {
    return {status, "application/json", std::move(body), {}, false};
  }
};

// One request on its way to one response. The handler may answer from within its call or later,
// from any thread; respond() must be called exactly once, after which neither the exchange nor its
// request may be touched. Whatever the front does with the connection meanwhile is its own
// business.
class Exchange {
 public:
  virtual const Request& request() const = 0;
  virtual void respond(Response response) = 0;

 protected:
  ~Exchange() = default;
};

// Called on a connection's thread; it may block. Must not throw.
using Handler = std::function<void(Exchange&)>;

}  // namespace bentohost::http
