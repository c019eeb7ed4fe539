// What a hostile client can send as the head of a request: however it is cut up, HeadScanner says
// the same of it; and what parse_head accepts has the characters, and the bounds, that it promises.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string_view>

#include "http/parse/head.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_refusal(const Status& status) {
  const std::uint32_t http = status.http_status();
  return !status.message().empty() &&
         (http == 400 || http == 414 || http == 417 || http == 431 || http == 501 || http == 505);
}

struct Verdict {
  std::uint32_t refused = 0;  // the HTTP status
  std::size_t size = 0;
  bool operator==(const Verdict&) const = default;
};

// Scans `bytes` in pieces of one to `max_piece` bytes, as long as a connection would.
Verdict scan(std::string_view bytes, std::size_t max_piece) {
  std::minstd_rand random(static_cast<std::uint32_t>(std::hash<std::string_view>()(bytes)));
  HeadScanner scanner;
  for (std::size_t arrived = 0; arrived < bytes.size() && scanner.size() == 0;) {
    arrived += std::min(std::size_t{1} + random() % max_piece, bytes.size() - arrived);
    const Status status = scanner.scan(bytes.substr(0, arrived));
    if (!status.ok()) {
      require(is_refusal(status));
      return {status.http_status(), 0};
    }
  }
  return {0, scanner.size()};
}

void check_header(const Header& header) {
  require(is_token(header.name));
  require(std::none_of(header.name.begin(), header.name.end(),
                       [](char c) { return c >= 'A' && c <= 'Z'; }));
  require(is_field_value(header.value) && trim(header.value) == header.value);
}

void check_accepted(const Request& request, const Framing& framing) {
  require(is_token(request.method) && request.method != "CONNECT");
  require(request.version == "HTTP/1.1" || request.version == "HTTP/1.0");
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7f; };
  require(!request.target.empty() &&
          std::all_of(request.target.begin(), request.target.end(), is_visible));
  require(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
  require(std::all_of(request.query.begin(), request.query.end(), is_visible));

  require(request.headers.size() <=
          HeadLimits().max_headers + 1);  // the target's host may have been added
  std::size_t hosts = 0;
  std::for_each(request.headers.begin(), request.headers.end(), check_header);
  for (const Header& header : request.headers) hosts += header.name == "host" ? 1 : 0;
  require(hosts == 1 || (hosts == 0 && request.version == "HTTP/1.0"));
  require(request.target[0] == '/' || request.path == "*" ||
          !find_header(request.headers, "host").empty());

  const bool has_length = std::any_of(request.headers.begin(), request.headers.end(),
                                      [](const Header& h) { return h.name == "content-length"; });
  require(!framing.chunked || (!has_length && request.version == "HTTP/1.1"));
  require(has_length || framing.content_length == 0);
  require(!framing.expects_continue || request.version == "HTTP/1.1");
}

bool same(const Request& a, const Request& b) {
  const auto is_same = [](const Header& x, const Header& y) {
    return x.name == y.name && x.value == y.value;
  };
  return a.method == b.method && a.target == b.target && a.path == b.path && a.query == b.query &&
         a.version == b.version &&
         std::equal(a.headers.begin(), a.headers.end(), b.headers.begin(), b.headers.end(),
                    is_same);
}

void check(std::string_view bytes) {
  const Verdict whole = scan(bytes, bytes.size() + 1);
  for (const std::size_t max_piece : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
    require(scan(bytes, max_piece) == whole);
  }
  require(whole.size <= bytes.size() && whole.size <= HeadLimits().max_head);
  if (whole.size == 0) return;

  // Into a fresh request, and over what another one has left.
  const std::string_view head = bytes.substr(0, whole.size);
  Request request, used;
  Framing framing, unused;
  const std::string_view earlier =
      "OPTIONS http://earlier/path?query HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n";
  require(parse_head(earlier, used, unused).ok());
  const Status status = parse_head(head, request, framing);
  require(parse_head(head, used, unused).http_status() == status.http_status());
  require(same(request, used));
  if (status.ok()) {
    check_accepted(request, framing);
  } else {
    require(is_refusal(status));
  }
}

}  // namespace
}  // namespace bentohost::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bentohost::http::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
