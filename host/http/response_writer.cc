#include "http/response_writer.h"

#include <charconv>
#include <ctime>

#include "http/date.h"
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

void append_number(std::size_t number, int base, std::string& out) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number, base).ptr);
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
  if (Status status = check_header("Content-Type", response.content_type); !status.ok()) {
    return status;
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
  out.append("HTTP/1.1 ");
  append_number(static_cast<std::size_t>(response.status), 10, out);
  out.append(" ").append(reason_phrase(response.status)).append("\r\n");

  bool has_server = false;
  for (const Header& header : response.headers) {
    if (is_ours(header.name)) continue;
    has_server |= equals_ignoring_case(header.name, "server");
    append_field(header.name, header.value, out);
  }
  if (!response.content_type.empty()) append_field("Content-Type", response.content_type, out);

  std::size_t length = response.body.size();
  switch (head.framing) {
    case BodyFraming::kGiven:
      (void)find_content_length(response.headers, length);
      [[fallthrough]];
    case BodyFraming::kSized:
      // RFC 9110 8.6: none in a 204; in a 304 it would be the 200's, which is unknown here.
      if (response.status == 204 || response.status == 304) break;
      if (response.status == 205) length = 0;  // RFC 9110 15.3.6
      out.append("Content-Length: ");
      append_number(length, 10, out);
      out.append("\r\n");
      break;
    case BodyFraming::kChunked:
      append_field("Transfer-Encoding", "chunked", out);
      break;
    case BodyFraming::kToClose:
      break;
  }
  append_field("Date", http_date(std::time(nullptr)), out);
  if (!has_server) append_field("Server", "bentohost", out);
  if (response.status == 101) return (void)out.append("Connection: Upgrade\r\n\r\n");
  if (head.close) append_field("Connection", "close", out);
  if (head.keep_alive) append_field("Connection", "keep-alive", out);
  out.append("\r\n");
}

void append_chunk(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  append_number(bytes.size(), 16, out);
  out.append("\r\n").append(bytes).append("\r\n");
}

}  // namespace bentohost::http
