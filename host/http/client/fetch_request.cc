#include "http/client/fetch_request.h"

#include <algorithm>

#include "http/head_writer.h"
#include "http/response_writer.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr std::size_t kMaxTarget = 16u << 10;

Status refuse(std::string why) { return Status(BENTO_INVALID_ARGUMENT, std::move(why)); }

// They say where a message ends, or concern one connection alone (RFC 9110 7.6.1).
constexpr std::string_view kOwnFields[] = {
    "host", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te",   "trailer",        "upgrade",           "expect",     "proxy-connection"};

bool is_own_field(std::string_view name) {
  return std::any_of(std::begin(kOwnFields), std::end(kOwnFields),
                     [name](std::string_view own) { return equals_ignoring_case(name, own); });
}

bool has_field(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [name](const Header& header) {
    return equals_ignoring_case(header.name, name);
  });
}

}  // namespace

Status check(const FetchRequest& request) {
  if (!is_token(request.method)) return refuse("the method is not a token");
  if (equals_ignoring_case(request.method, "CONNECT")) {
    return refuse("CONNECT is for proxies, which this client does not use");
  }
  if (request.url.target.size() > kMaxTarget) {
    return refuse("the URL's path and query are longer than " + std::to_string(kMaxTarget) +
                  " bytes");
  }
  for (const Header& header : request.headers) {
    if (!is_token(header.name)) return refuse("a header's name is not a token");
    if (!is_field_value(header.value)) {
      return refuse("header " + header.name + ": its value has a line break or control byte");
    }
    if (is_own_field(header.name)) {
      return refuse("header " + header.name +
                    " is the client's own: it follows from the URL, the body and the connection");
    }
  }
  return {};
}

static void append_head(const FetchRequest& request, std::string& head) {
  HeadWriter out(head);
  out.put(request.method).put(" ").put(request.url.target).put(" HTTP/1.1\r\n");
  out.field("Host", request.url.host_field());
  for (const Header& header : request.headers) out.field(header.name, trim(header.value));
  if (!has_field(request.headers, "User-Agent")) out.field("User-Agent", "bentohost");
  const bool means_a_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (means_a_body || !request.body.empty()) {
    out.put("Content-Length: ").put(request.body.size()).put("\r\n");
  }
  out.put("\r\n");
}

std::string request_head(const FetchRequest& request) {
  std::string head;
  append_head(request, head);
  return head;
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view one : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}) {
    if (method == one) return true;
  }
  return false;
}

}  // namespace bentohost::http
