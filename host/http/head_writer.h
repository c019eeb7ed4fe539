// HeadWriter: appends the lines of a message's head to a string. It makes room for a usual head at
// once and copies each part without a call into std::string: heads are most of what many messages
// cost. The string is complete when the writer ends; until then only the writer may use it.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bentohost::http {

class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out) { make_room(out.size(), 0); }
  ~HeadWriter() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  HeadWriter& put(std::string_view text) {
    char* const at = reserve(text.size());
    std::char_traits<char>::copy(at, text.data(), text.size());
    at_ = at + text.size();
    return *this;
  }
  HeadWriter& put(std::uint64_t number) {
    constexpr std::size_t kMostDigits = 20;
    char* const at = reserve(kMostDigits);
    at_ = std::to_chars(at, at + kMostDigits, number).ptr;
    return *this;
  }
  // "name: value" and the end of the line.
  HeadWriter& field(std::string_view name, std::string_view value) {
    char* at = reserve(name.size() + value.size() + 4);
    std::char_traits<char>::copy(at, name.data(), name.size());
    at += name.size();
    *at++ = ':';
    *at++ = ' ';
    std::char_traits<char>::copy(at, value.data(), value.size());
    at += value.size();
    *at++ = '\r';
    *at++ = '\n';
    at_ = at;
    return *this;
  }

 private:
  static constexpr std::size_t kUsualHead = 512;

  // Where the next `size` bytes go.
  char* reserve(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) [[unlikely]] {
      make_room(static_cast<std::size_t>(at_ - out_.data()), size);
    }
    return at_;
  }
  void make_room(std::size_t used, std::size_t more);

  std::string& out_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace bentohost::http
