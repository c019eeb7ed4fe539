// Request and Response: what a test sends to a service, and what it gets back. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/context.hpp>
#include <bento/headers.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bento::testing {

// The argument of Host::request(). Plain data; a request may be used again.
struct Request {
  std::string method = "GET";
  std::string target = "/";  // path and query, as on the wire: "/a%20b?x=1"
  std::string body = {};
  Headers headers = {};
  std::size_t piece_size = 64u << 10;  // bytes of the pieces in which a Stream gets the body
  // How many pieces of the response the client takes before it leaves.
  std::size_t takes = static_cast<std::size_t>(-1);
  std::string client = "127.0.0.1:50000";
  // For Host::begin(): the body is given piece by piece, behind `body`, until end_body(); and how
  // many pieces of the response the client has room for, before take() makes some.
  bool gives_body = false;
  std::size_t room = static_cast<std::size_t>(-1);
};

// What the client has received.
struct Response {
  std::uint32_t status = 0;
  Headers headers = {};  // Content-Type too
  std::string content_type = {}, body = {};
  bool is_whole = true;  // false: the response was cut off, or the client left
};

// A line that the service logged, or that a host would log about it.
struct LogLine {
  Log level;
  std::string message;
  std::string request_id;  // empty: not about a request
};

}  // namespace bento::testing
