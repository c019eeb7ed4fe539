// SignalSafeLine: a line of the log as a signal handler can write it: into memory of its own, with
// one write(2), in the format of base/log.h. What does not fit is cut off.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/log.h"

namespace bentohost {

class SignalSafeLine {
 public:
  // Begins with the time, the level and the component; relayed, with the level alone.
  SignalSafeLine(LogFormat format, std::string_view component, LogLevel level = LogLevel::kError);

  // The message, in pieces.
  SignalSafeLine& text(std::string_view piece);
  SignalSafeLine& number(std::uint64_t value, unsigned base = 10);
  // A further field; the message is complete then. Nothing for an empty value.
  SignalSafeLine& field(std::string_view name, std::string_view value);
  void write_to(int fd);

 private:
  void put(char c);
  void put(std::string_view text);
  void put_number(std::uint64_t value, unsigned base, unsigned least_digits);
  void put_escaped(std::string_view text);
  void put_time();
  void end_message();

  // For the longest path of a request that the log would show, and the rest.
  std::array<char, 8192> line_;
  std::size_t size_ = 0;
  const LogFormat format_;
  bool is_in_message_ = true;
};

}  // namespace bentohost
