#include "http/parse/head.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "http/parse/target.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

Status refuse(std::uint32_t http_status, std::string_view why) {
  return Status::with_http(http_status, BENTO_INVALID_ARGUMENT, std::string(why));
}

// The next line of `head`, without its CR LF; HeadScanner has checked that each line has one.
std::string_view take_line(std::string_view& head) {
  const std::size_t newline = head.find('\n');
  const std::string_view line = head.substr(0, newline - 1);
  head.remove_prefix(newline + 1);
  return line;
}

Status check_version(std::string_view version) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return Status();
  const bool is_version = version.size() == 8 && version.starts_with("HTTP/") &&
                          version[6] == '.' && version[5] >= '0' && version[5] <= '9' &&
                          version[7] >= '0' && version[7] <= '9';
  return is_version ? refuse(505, "this server speaks HTTP/1.0 and HTTP/1.1")
                    : refuse(400, "the request line does not end with an HTTP version");
}

// Leaves the authority of an absolute form in `authority`.
Status parse_request_line(std::string_view line, Request& request, std::string& authority) {
  const std::size_t first = line.find(' ');
  constexpr std::string_view kUsualEnd = " HTTP/1.1";
  const std::size_t last =
      line.ends_with(kUsualEnd) ? line.size() - kUsualEnd.size() : line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse(400, "the request line is not \"METHOD target HTTP/1.1\"");
  }
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  request.version = line.substr(last + 1);
  if (!is_token(request.method)) return refuse(400, "the method is not a token");
  if (Status status = check_version(request.version); !status.ok()) return status;
  Status status;
  if (request.target.starts_with('/')) {
    status = parse_origin(request.target, request.path, request.query);
  } else {
    Target target{std::move(request.path), std::move(request.query), {}};
    status = parse_target(request.method, request.target, target);
    request.path = std::move(target.path);
    request.query = std::move(target.query);
    authority = std::move(target.authority);
  }
  if (!status.ok()) return status;
  return request.method == "CONNECT" ? refuse(501, "CONNECT is for proxies") : Status();
}

// RFC 9112 3.2.2: the authority of an absolute form replaces the Host header's value.
void set_host(std::string_view authority, Headers& headers) {
  const auto host = std::find_if(headers.begin(), headers.end(),
                                 [](const Header& header) { return header.name == "host"; });
  if (host != headers.end()) {
    host->value = authority;
  } else {
    headers.push_back({"host", std::string(authority)});
  }
}

Status parse_header_line(std::string_view line, Header& header) {
  if (line[0] == ' ' || line[0] == '\t') return refuse(400, "a header is folded over two lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "a header line has no colon");
  header.name.clear();
  if (!append_lower_token(line.substr(0, colon), header.name)) {
    return refuse(400, "a header name has an invalid character");
  }
  header.value = trim(line.substr(colon + 1));
  if (!is_field_value(header.value)) return refuse(400, "a header value has a control byte");
  return Status();
}

// The headers that the server itself obeys, gathered while the head is parsed.
class FramingRules {
 public:
  FramingRules(bool is_http_1_0, Framing& framing) : is_http_1_0_(is_http_1_0), framing_(framing) {}

  Status visit(const Header& header) {
    const std::string_view name = header.name;
    if (name == "host") return host(header.value);
    if (name == "content-length") return content_length(header.value);
    if (name == "transfer-encoding") return transfer_encoding(header.value);
    if (name == "expect") return expect(header.value);
    if (name == "connection") connection(header.value);
    return Status();
  }

  Status finish() {
    if (hosts_ == 0 && !is_http_1_0_) return refuse(400, "there is no Host header");
    if (framing_.chunked && has_length_) {
      return refuse(400, "Content-Length and Transfer-Encoding exclude each other");
    }
    framing_.keep_alive = !closes_ && (keeps_alive_ || !is_http_1_0_);
    return Status();
  }

 private:
  Status host(std::string_view value) {
    if (++hosts_ > 1) return refuse(400, "there is more than one Host header");
    // An empty value is right if the target has no authority (RFC 9112 3.2).
    return value.empty() || is_authority(value) ? Status()
                                                : refuse(400, "the Host header is not a host");
  }

  Status content_length(std::string_view value) {
    if (has_length_) return refuse(400, "there is more than one Content-Length header");
    has_length_ = true;
    // from_chars accepts "-1" only for signed types, and neither '+' nor blanks.
    const char* end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, framing_.content_length);
    return error == std::errc() && stopped == end
               ? Status()
               : refuse(400, "Content-Length is not a number of bytes");
  }

  Status transfer_encoding(std::string_view value) {
    if (is_http_1_0_) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (framing_.chunked) return refuse(400, "there is more than one Transfer-Encoding header");
    framing_.chunked = equals_ignoring_case(value, "chunked");
    if (framing_.chunked) return Status();
    const std::size_t comma = value.rfind(',');
    const bool ends_chunked = comma != std::string_view::npos &&
                              equals_ignoring_case(trim(value.substr(comma + 1)), "chunked");
    return ends_chunked ? refuse(501, "the only transfer coding here is chunked")
                        : refuse(400, "Transfer-Encoding is not chunked");
  }

  Status expect(std::string_view value) {
    if (!equals_ignoring_case(value, "100-continue")) {
      return refuse(417, "the only expectation known here is 100-continue");
    }
    framing_.expects_continue = !is_http_1_0_;
    return Status();
  }

  void connection(std::string_view value) {
    for_each_member(value, [this](std::string_view option) {
      closes_ |= equals_ignoring_case(option, "close");
      keeps_alive_ |= equals_ignoring_case(option, "keep-alive");
    });
  }

  bool is_http_1_0_;
  Framing& framing_;
  int hosts_ = 0;
  bool has_length_ = false;
  bool closes_ = false;
  bool keeps_alive_ = false;
};

}  // namespace

Status HeadScanner::scan(std::string_view bytes) {
  while (size_ == 0) {
    const std::size_t newline = bytes.find('\n', scanned_);
    scanned_ = std::min(newline, bytes.size());
    if (lines_ == 0 && scanned_ - line_ > limits_.max_request_line + 1) {  // and its CR
      return refuse(414, "the request line is longer than " +
                             std::to_string(limits_.max_request_line) + " bytes");
    }
    if (scanned_ >= limits_.max_head) {
      return refuse(
          431, "the request head is larger than " + std::to_string(limits_.max_head) + " bytes");
    }
    if (newline == std::string_view::npos) return Status();
    if (Status status = end_line(bytes, newline); !status.ok()) return status;
  }
  return Status();
}

Status HeadScanner::end_line(std::string_view bytes, std::size_t newline) {
  if (newline == line_ || bytes[newline - 1] != '\r') {
    return refuse(400, "a line of the head does not end with CR LF");
  }
  const bool is_empty = newline == line_ + 1;
  if (is_empty && lines_ == 0 && line_ > 0) return refuse(400, "the request line is empty");
  // One empty line in front is ignored (RFC 9112 2.2): old clients send one after a body.
  if (is_empty && lines_ > 0) size_ = newline + 1;
  if (!is_empty) ++lines_;
  line_ = scanned_ = newline + 1;
  return Status();
}

Status parse_head(std::string_view head, Request& request, Framing& framing,
                  const HeadLimits& limits) {
  for (std::string* part :
       {&request.method, &request.target, &request.path, &request.query, &request.version}) {
    part->clear();
  }
  framing = Framing();
  std::size_t count = 0;
  const auto finish = [&](Status status) {
    request.headers.resize(count);
    return status;
  };

  std::string_view line = take_line(head);
  if (line.empty()) line = take_line(head);
  std::string authority;
  if (Status status = parse_request_line(line, request, authority); !status.ok()) {
    return finish(status);
  }
  FramingRules rules(request.version == "HTTP/1.0", framing);
  for (line = take_line(head); !line.empty(); line = take_line(head)) {
    if (count == limits.max_headers) {
      return finish(
          refuse(431, "there are more than " + std::to_string(limits.max_headers) + " headers"));
    }
    if (count == request.headers.size()) request.headers.emplace_back();
    Header& header = request.headers[count];
    if (Status status = parse_header_line(line, header); !status.ok()) return finish(status);
    ++count;
    if (Status status = rules.visit(header); !status.ok()) return finish(status);
  }
  Status status = finish(rules.finish());
  if (status.ok() && !authority.empty()) set_host(authority, request.headers);
  return status;
}

}  // namespace bentohost::http
