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

class Digits {
 public:
  explicit Digits(std::size_t number, int base = 10)
      : end_(std::to_chars(digits_, digits_ + sizeof digits_, number, base).ptr) {}
  std::string_view text() const { return {digits_, end_}; }

 private:
  char digits_[24];
  const char* end_;
};

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
  const Digits status(static_cast<std::size_t>(response.status));
  append_all({"HTTP/1.1 ", status.text(), " ", reason_phrase(response.status), "\r\n"}, out);

  bool has_server = false;
  for (const Header& header : response.headers) {
    if (is_ours(header.name)) continue;
    has_server |= equals_ignoring_case(header.name, "server");
    append_field(header.name, header.value, out);
  }
  if (!response.content_type.empty()) append_field("Content-Type", response.content_type, out);

  bool has_length = head.framing == BodyFraming::kSized || head.framing == BodyFraming::kGiven;
  std::size_t length = response.body.size();
  if (head.framing == BodyFraming::kGiven) (void)find_content_length(response.headers, length);
  // RFC 9110 8.6: none in a 204; in a 304 it would be the 200's, which is unknown here.
  if (response.status == 204 || response.status == 304) has_length = false;
  if (response.status == 205) length = 0;  // RFC 9110 15.3.6
  if (has_length) append_all({"Content-Length: ", Digits(length).text(), "\r\n"}, out);
  if (head.framing == BodyFraming::kChunked) out.append("Transfer-Encoding: chunked\r\n");

  std::string_view end = "\r\n";
  if (response.status == 101) {
    end = "Connection: Upgrade\r\n\r\n";
  } else if (head.close) {
    end = "Connection: close\r\n\r\n";
  } else if (head.keep_alive) {
    end = "Connection: keep-alive\r\n\r\n";
  }
  append_all({"Date: ", http_date(std::time(nullptr)), "\r\n",
              has_server ? std::string_view() : "Server: bentohost\r\n", end},
             out);
}

void append_chunk(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  append_all({Digits(bytes.size(), 16).text(), "\r\n", bytes, "\r\n"}, out);
}

}  // namespace bentohost::http
