#include "http/parse/response_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

// No body is that long; the dechunker computes with sixteen times as much.
constexpr std::size_t kAnyLength = std::numeric_limits<std::size_t>::max() / 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether `text` may be the beginning of a status line.
bool begins_status_line(std::string_view text) {
  constexpr std::string_view kStart = "HTTP/1.";
  const std::size_t known = std::min(text.size(), kStart.size());
  return text.substr(0, known) == kStart.substr(0, known);
}

}  // namespace

std::string_view ResponseReader::peer_name() const {
  return peer_ == Peer::kApp ? "the app" : "the server";
}

Status ResponseReader::malformed(std::string_view why) const {
  return Status::with_http(
      502, BENTO_UNAVAILABLE,
      std::string(peer_name()).append("'s response is malformed: ").append(why));
}

void ResponseReader::begin(bool is_head, bool wants_upgrade) {
  is_head_ = is_head;
  wants_upgrade_ = wants_upgrade;
  state_ = State::kHead;
  scanned_ = 0;
  keeps_connection_ = false;
  begin_head();
}

void ResponseReader::begin_head() {
  head_size_ = 0;
  has_status_line_ = is_http_1_0_ = is_chunked_ = closes_ = keeps_alive_ = false;
  names_fields_ = is_websocket_ = false;
  length_.reset();
  connection_.clear();
}

Result<std::size_t> ResponseReader::read_head(std::string_view bytes, Response& response) {
  if (!has_status_line_ && !begins_status_line(bytes)) {
    return malformed("it does not begin with HTTP/1.1 or HTTP/1.0");
  }
  std::size_t taken = 0;
  while (state_ == State::kHead) {
    const std::size_t newline = bytes.find('\n', taken + scanned_);
    const std::size_t end = newline == std::string_view::npos ? bytes.size() : newline + 1;
    if (head_size_ + (end - taken) > kMaxHead) {
      return malformed("its head is larger than " + std::to_string(kMaxHead) + " bytes");
    }
    if (newline == std::string_view::npos) {
      scanned_ = bytes.size() - taken;
      return taken;
    }
    if (newline == taken || bytes[newline - 1] != '\r') {
      return malformed("a line of its head does not end with CR LF");
    }
    const std::string_view line = bytes.substr(taken, newline - 1 - taken);
    head_size_ += end - taken;
    taken = end;
    scanned_ = 0;
    if (Status status = take_line(line, response); !status.ok()) return status;
    // An interim response was skipped, and the next head begins.
    if (state_ == State::kHead && !has_status_line_ && !begins_status_line(bytes.substr(taken))) {
      return malformed("its second head does not begin with HTTP/1.1 or HTTP/1.0");
    }
  }
  return taken;
}

Status ResponseReader::take_line(std::string_view line, Response& response) {
  if (!has_status_line_) return take_status_line(line, response);
  return line.empty() ? end_head(response) : take_field(line, response);
}

Status ResponseReader::take_status_line(std::string_view line, Response& response) {
  // "HTTP/1.1 200", and mostly a reason behind it, which nobody reads.
  constexpr std::size_t kCodeAt = 9, kCodeEnd = 12;
  const bool is_status_line =
      begins_status_line(line) && line.size() >= kCodeEnd && is_digit(line[7]) && line[8] == ' ' &&
      std::all_of(line.begin() + kCodeAt, line.begin() + kCodeEnd, is_digit) &&
      (line.size() == kCodeEnd || line[kCodeEnd] == ' ') && is_field_value(line.substr(kCodeEnd));
  if (!is_status_line) return malformed("its first line is no status line");
  std::from_chars(line.data() + kCodeAt, line.data() + kCodeEnd, response.status);
  if (response.status < 100 || response.status > 599) {
    return malformed("its status is not between 100 and 599");
  }
  is_http_1_0_ = line[7] == '0';
  has_status_line_ = true;
  response.content_type.clear();
  response.headers.clear();
  constexpr std::size_t kUsualFields = 8;
  response.headers.reserve(kUsualFields);
  return {};
}

Status ResponseReader::take_field(std::string_view line, Response& response) {
  if (line[0] == ' ' || line[0] == '\t') return malformed("a field is folded over two lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return malformed("a line of its head has no colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name)) return malformed("a field name has an invalid character");
  if (!is_field_value(value)) return malformed("a field value has a control byte");
  Status status;
  if (!keep_field(name, value, status)) return status;
  if (equals_ignoring_case(name, "content-type")) {
    if (response.content_type.empty()) response.content_type = value;
  } else {
    response.headers.push_back({std::string(name), std::string(value)});
  }
  return {};
}

// False for the fields that concern this connection alone, after obeying them.
bool ResponseReader::keep_field(std::string_view name, std::string_view value, Status& status) {
  const auto is = [name](std::string_view other) { return equals_ignoring_case(name, other); };
  switch (name.size()) {
    case 2:
      return !is("te");
    case 4:
      return peer_ == Peer::kServer || !is("date");
    case 6:
      return peer_ == Peer::kServer || !is("server");
    case 7:
      if (is("upgrade")) {
        is_websocket_ = equals_ignoring_case(value, "websocket");
        return false;
      }
      return !is("trailer");
    case 10:
      if (is("connection")) {
        take_connection(value);
        return false;
      }
      return !is("keep-alive");
    case 12:
      return peer_ == Peer::kServer ||
             !is("x-request-id");  // the host sets it, to what the app was told
    case 14:
      if (!is("content-length")) return true;
      status = take_length(value);
      return peer_ == Peer::kServer && status.ok();
    case 16:
      return !is("proxy-connection");
    case 17:
      if (!is("transfer-encoding")) return true;
      status = take_coding(value);
      return false;
    default:
      return true;
  }
}

Status ResponseReader::take_length(std::string_view value) {
  std::uint64_t length = 0;
  const char* end = value.data() + value.size();
  const auto [stopped, error] = std::from_chars(value.data(), end, length);
  if (error != std::errc() || stopped != end) {
    return malformed("its Content-Length is not a number of bytes");
  }
  if (length_ && *length_ != length) return malformed("it has two different Content-Lengths");
  length_ = length;
  return {};
}

Status ResponseReader::take_coding(std::string_view value) {
  // No other coding was offered: the request had no TE field.
  if (is_chunked_ || !equals_ignoring_case(value, "chunked")) {
    return malformed("its Transfer-Encoding is not chunked");
  }
  is_chunked_ = true;
  return {};
}

void ResponseReader::take_connection(std::string_view value) {
  for_each_member(value, [this](std::string_view option) {
    const bool closes = equals_ignoring_case(option, "close");
    const bool keeps_alive = equals_ignoring_case(option, "keep-alive");
    closes_ |= closes;
    keeps_alive_ |= keeps_alive;
    names_fields_ |= !closes && !keeps_alive && !equals_ignoring_case(option, "upgrade");
  });
  connection_.append(connection_.empty() ? "" : ",").append(value);
}

Status ResponseReader::end_head(Response& response) {
  const int status = response.status;
  if (status == 101) {
    if (!wants_upgrade_ || !is_websocket_) {
      return malformed("it switches to a protocol that was not asked for");
    }
    response.headers.push_back({"Upgrade", "websocket"});
    state_ = State::kTunnel;
    return {};
  }
  if (status < 200) {
    begin_head();
    return {};
  }
  if (names_fields_) drop_named(response);
  const bool has_both = is_chunked_ && length_.has_value();
  if (is_chunked_) length_.reset();  // RFC 9112 6.3: Transfer-Encoding overrides Content-Length
  framing_ = is_head_ || status == 204 || status == 304 ? Framing::kNone
             : is_chunked_                              ? Framing::kChunked
             : length_.has_value()                      ? Framing::kSized
                                                        : Framing::kToClose;
  // RFC 9112 6.1: Transfer-Encoding in HTTP/1.0, or beside a length, makes the framing doubtful.
  keeps_connection_ = !closes_ && !has_both && framing_ != Framing::kToClose &&
                      (is_http_1_0_ ? keeps_alive_ && !is_chunked_ : true);
  left_ = framing_ == Framing::kSized ? *length_ : 0;
  if (framing_ == Framing::kChunked) dechunker_.emplace(kAnyLength);
  const bool is_complete =
      framing_ == Framing::kNone || (framing_ == Framing::kSized && left_ == 0);
  state_ = is_complete ? State::kDone : State::kBody;
  return {};
}

void ResponseReader::drop_named(Response& response) const {
  // Each is compared with each field; no server names more of its own.
  constexpr int kMostNamed = 32;
  int named = 0;
  for_each_member(connection_, [&response, &named](std::string_view option) {
    if (++named > kMostNamed) return;
    std::erase_if(response.headers, [option](const Header& header) {
      return equals_ignoring_case(header.name, option);
    });
  });
}

Result<ResponseReader::Piece> ResponseReader::read_body(std::string_view bytes) {
  if (framing_ == Framing::kChunked) {
    dechunked_.clear();
    Result<std::size_t> taken = dechunker_->feed(bytes, dechunked_);
    if (!taken.ok()) return malformed("its chunks are malformed");
    if (dechunker_->done()) state_ = State::kDone;
    return Piece{*taken, dechunked_};
  }
  if (framing_ == Framing::kToClose) return Piece{bytes.size(), bytes};
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= size;
  if (left_ == 0) state_ = State::kDone;
  return Piece{size, bytes.substr(0, size)};
}

Status ResponseReader::end() {
  keeps_connection_ = false;
  if (state_ == State::kBody && framing_ == Framing::kToClose) state_ = State::kDone;
  if (state_ == State::kDone || state_ == State::kTunnel) return {};
  return Status::with_http(
      502, BENTO_UNAVAILABLE,
      std::string(peer_name())
          .append(state_ == State::kHead
                      ? " closed the connection before it answered"
                      : " closed the connection before the end of its response"));
}

std::optional<std::uint64_t> ResponseReader::left() const {
  if (framing_ != Framing::kSized) return std::nullopt;
  return left_;
}

}  // namespace bentohost::http
