// SignalSafeLine: a log line that a signal handler can write: built in memory of its own, written
// with one write(2), in the format of base/log.h. A line that is too long is cut off.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/log.h"

namespace bentohost {

class SignalSafeLine {
 public:
  // Begins with the time, the level and the component; kRelayed has the level alone.
  SignalSafeLine(LogFormat format, std::string_view component, LogLevel level = LogLevel::kError);

  // The message, in pieces.
  SignalSafeLine& text(std::string_view piece);
  SignalSafeLine& number(std::uint64_t value, unsigned base = 10);
  // Ends the message and adds a field. An empty value adds nothing.
  SignalSafeLine& field(std::string_view name, std::string_view value);
  void write_to(int fd);

 private:
  void put(char c);
  void put(std::string_view text);
  void put_number(std::uint64_t value, unsigned base, unsigned least_digits);
  void put_escaped(std::string_view text);
  void put_time();
  void end_message();

  // Room for the longest request path that the log would show, and the rest.
  std::array<char, 8192> line_;
  std::size_t size_ = 0;
  const LogFormat format_;
  bool is_in_message_ = true;
};

}  // namespace bentohost
