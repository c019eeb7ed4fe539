#include "http/response_writer.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>

#include "http/date.h"
#include "http/head_writer.h"
#include "http/problem.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

// Headers that the server itself writes.
bool is_ours(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equals_ignoring_case(name, "date");
    case 10:
      return equals_ignoring_case(name, "connection");
    case 12:
      return equals_ignoring_case(name, "content-type");
    case 14:
      return equals_ignoring_case(name, "content-length");
    case 17:
      return equals_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

}  // namespace

Status check_header(std::string_view name, std::string_view value) {
  const auto refuse = [name](const char* why) {
    return Status(BENTO_INVALID_ARGUMENT, "header \"" + std::string(name) + "\": " + why);
  };
  if (!is_token(name)) return refuse("its name is not made of letters, digits, '-' and the like");
  return is_field_value(value) ? Status() : refuse("its value has a line break or control byte");
}

Status check_sendable(const Response& response) {
  if (response.status < 200 || response.status > 599) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "status " + std::to_string(response.status) + " is not between 200 and 599");
  }
  return check_headers(response);
}

Status check_headers(const Response& response) {
  if (!is_field_value(response.content_type)) {
    return check_header("Content-Type", response.content_type);
  }
  for (const Header& header : response.headers) {
    if (Status status = check_header(header.name, header.value); !status.ok()) return status;
  }
  return {};
}

bool find_content_length(const Headers& headers, std::size_t& length) {
  for (const Header& header : headers) {
    if (!equals_ignoring_case(header.name, "content-length")) continue;
    const char* end = header.value.data() + header.value.size();
    const auto [stopped, error] = std::from_chars(header.value.data(), end, length);
    return error == std::errc() && stopped == end;
  }
  return false;
}

void append_head(const Response& response, const ResponseHead& head, std::string& out) {
  HeadWriter writer(out);
  writer.put("HTTP/1.1 ").put(static_cast<std::uint64_t>(response.status));
  writer.put(" ").put(reason_phrase(response.status)).put("\r\n");

  bool has_server = false;
  for (const Header& header : response.headers) {
    if (is_ours(header.name)) continue;
    has_server |= equals_ignoring_case(header.name, "server");
    writer.field(header.name, header.value);
  }
  if (!head.request_id.empty()) writer.field("X-Request-Id", head.request_id);
  if (!response.content_type.empty()) writer.field("Content-Type", response.content_type);

  bool has_length = head.framing == BodyFraming::kSized || head.framing == BodyFraming::kGiven;
  std::size_t length = response.body.size();
  if (head.framing == BodyFraming::kGiven) (void)find_content_length(response.headers, length);
  // RFC 9110 8.6: none in a 204; in a 304 it would be the 200's, which is unknown here.
  if (response.status == 204 || response.status == 304) has_length = false;
  if (response.status == 205) length = 0;  // RFC 9110 15.3.6
  if (has_length) writer.put("Content-Length: ").put(std::uint64_t{length}).put("\r\n");
  if (head.framing == BodyFraming::kChunked) writer.put("Transfer-Encoding: chunked\r\n");

  std::string_view end = "\r\n";
  if (response.status == 101) {
    end = "Connection: Upgrade\r\n\r\n";
  } else if (head.close) {
    end = "Connection: close\r\n\r\n";
  } else if (head.keep_alive) {
    end = "Connection: keep-alive\r\n\r\n";
  }
  writer.put("Date: ").put(http_date(std::time(nullptr))).put("\r\n");
  if (!has_server) writer.put("Server: bentohost\r\n");
  writer.put(end);
}

void append_chunk(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16);
  out.append(digits.data(), end.ptr).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace bentohost::http
