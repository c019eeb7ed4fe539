// HttpResponseParser: reads one HTTP/1.1 response (RFC 9112) of a trusted program, from bytes in
// pieces of any size: its head, then its body without the framing. Pure; one thread.
#pragma once

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::detail {

class HttpResponseParser {
 public:
  struct Head {
    std::uint32_t status = 0;
    Headers headers;                      // without headers of the connection and the framing
    std::optional<std::uint64_t> length;  // of the body, if the head states it
  };
  using OnHead = std::function<void(const Head&)>;
  using OnBody = std::function<void(std::string_view)>;

  // `is_head`: the response is to HEAD, so it has no body whatever its head says. Interim responses
  // (1xx) are dropped.
  HttpResponseParser(bool is_head, OnHead on_head, OnBody on_body)
      : is_head_(is_head), on_head_(std::move(on_head)), on_body_(std::move(on_body)) {}

  // Throws Error, INTERNAL, if the bytes are not a response, or go on after its end.
  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      switch (state_) {
        case State::kHead:
          feed_head(bytes);
          break;
        case State::kSized:
        case State::kChunk:
          feed_counted(bytes);
          break;
        case State::kChunkSize:
          if (take_line(bytes)) begin_chunk();
          break;
        case State::kChunkEnd:
          if (!take_line(bytes)) break;
          if (!line_.empty()) fail("a chunk that is longer than its size");
          line_.clear();
          state_ = State::kChunkSize;
          break;
        case State::kTrailer:
          if (!take_line(bytes)) break;
          if (line_.empty()) state_ = State::kComplete;
          line_.clear();
          break;
        case State::kToClose:
          on_body_(std::exchange(bytes, {}));
          break;
        case State::kComplete:
          fail("bytes after its end");
      }
    }
  }
  // The writer has closed the connection. Throws if the response is incomplete.
  void close() {
    if (state_ == State::kToClose) state_ = State::kComplete;
    if (state_ != State::kComplete) fail("ends before it is complete");
  }
  bool is_complete() const { return state_ == State::kComplete; }

 private:
  enum class State { kHead, kSized, kChunkSize, kChunk, kChunkEnd, kTrailer, kToClose, kComplete };
  static constexpr std::size_t kMaxLine = 64u << 10;

  [[noreturn]] static void fail(const char* why) {
    throw Error(BENTO_INTERNAL, std::string("a malformed HTTP response: ") + why);
  }

  // Returns true when line_ is complete, without its CR LF.
  bool take_line(std::string_view& bytes) {
    const std::size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() > kMaxLine) fail("a line is too long");
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    if (end == bytes.npos) return false;
    if (line_.ends_with('\r')) line_.pop_back();
    return true;
  }

  void feed_head(std::string_view& bytes) {
    if (!take_line(bytes)) return;
    const std::string line = std::exchange(line_, {});
    if (head_.status == 0) return read_status_line(line);
    if (!line.empty()) return read_header(line);
    if (head_.status < 200) {
      head_ = {};
      is_chunked_ = false;
      return;
    }
    begin_body();
  }

  // "HTTP/1.1 200 OK"
  void read_status_line(std::string_view line) {
    const std::size_t space = line.find(' ');
    if (!line.starts_with("HTTP/1.") || space == line.npos) fail("no status line");
    const std::string_view digits = line.substr(space + 1, 3);
    std::from_chars(digits.data(), digits.data() + digits.size(), head_.status);
    if (head_.status < 100 || head_.status > 599) fail("no status");
  }

  void read_header(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || colon == 0) fail("a header without its colon");
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
    if (detail::same_name(name, "transfer-encoding")) {
      if (!detail::same_name(value, "chunked")) fail("a Transfer-Encoding that is not chunked");
      is_chunked_ = true;
    } else if (detail::same_name(name, "content-length")) {
      head_.length = read_number(value, 10);
    } else if (!detail::same_name(name, "connection") && !detail::same_name(name, "keep-alive")) {
      head_.headers.add(name, value);
    }
  }

  static std::uint64_t read_number(std::string_view text, int base) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number, base);
    if (text.empty() || error != std::errc() || stopped != end)
      fail("a length that is not a number");
    return number;
  }

  // RFC 9112, 6.3.
  void begin_body() {
    const bool is_bodiless = is_head_ || head_.status == 204 || head_.status == 304;
    if (is_chunked_) head_.length.reset();
    left_ = head_.length.value_or(0);
    state_ = is_bodiless || (head_.length && left_ == 0) ? State::kComplete
             : is_chunked_                               ? State::kChunkSize
             : head_.length                              ? State::kSized
                                                         : State::kToClose;
    on_head_(head_);
  }

  // "1a" or "1a;extension"
  void begin_chunk() {
    left_ = read_number(std::string_view(line_).substr(0, line_.find(';')), 16);
    line_.clear();
    state_ = left_ == 0 ? State::kTrailer : State::kChunk;
  }

  void feed_counted(std::string_view& bytes) {
    const std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (left_ == 0) state_ = state_ == State::kSized ? State::kComplete : State::kChunkEnd;
    on_body_(piece);
  }

  const bool is_head_;
  const OnHead on_head_;
  const OnBody on_body_;
  State state_ = State::kHead;
  std::string line_;  // the part that was read of the current line
  Head head_;
  bool is_chunked_ = false;
  std::uint64_t left_ = 0;  // bytes of the body or chunk
};

}  // namespace bento::detail
