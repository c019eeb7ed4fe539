// The host's log: one line per event on stderr, as text or JSON, through Poco's logging. It is for
// events, not for requests (see observe/access_log.h). Any thread. A line is one write; when nobody
// reads, the line is lost rather than waited for.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace bentohost {

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError, kOff };
// kRelayed: "<3>message", a line for the parent's log, as in sd-daemon(3); crash reports only.
enum class LogFormat { kText, kJson, kRelayed };

// A field's value: text, or a number, which JSON shows as a number. A field has the same type
// wherever it is logged, because log tools give each name one type. The text is not copied.
class LogValue {
 public:
  LogValue(std::string_view text) : text_(text) {}    // NOLINT(google-explicit-constructor)
  LogValue(const char* text) : text_(text) {}         // NOLINT(google-explicit-constructor)
  LogValue(const std::string& text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>)
      LogValue(T number) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::signed_integral<T>) {
      set(static_cast<std::int64_t>(number));
    } else {
      set(static_cast<std::uint64_t>(number));
    }
  }

  bool is_number() const { return size_ != 0; }
  std::string_view text() const {
    return is_number() ? std::string_view(digits_.data(), size_) : text_;
  }

 private:
  void set(std::int64_t number);
  void set(std::uint64_t number);

  std::string_view text_;
  std::array<char, 24> digits_;
  std::uint8_t size_ = 0;
};

// A name and a value that describe an event. They become `name=value` or a JSON member.
struct LogField {
  LogField(std::string_view its_name, LogValue its_value, bool is_a_plugins = false)
      : name(its_name), value(its_value), is_plugins(is_a_plugins) {}

  std::string_view name;
  LogValue value;
  // A plugin chose the name: JSON puts it into the member "fields", so that it cannot be mistaken
  // for one of the host's.
  bool is_plugins;
};

// Before threads start. `component` is "host" or "runner:iris_clf:0". Lines go to `fd`, which the
// log does not own.
void configure_log(LogLevel level, LogFormat format, std::string_view component, int fd = 2);
// [any, signal handlers too]
int log_fd();

bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
// The same, for a list that is known only at run time.
void log_fields(LogLevel level, std::string_view message, const LogField* fields,
                std::size_t count);

inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kInfo, m, f);
}
inline void log_warning(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kWarning, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kError, m, f);
}

// "trace" "debug" "info" "warning" "error" "off"; false leaves `out` alone.
bool parse_log_level(std::string_view text, LogLevel& out);
bool parse_log_format(std::string_view text, LogFormat& out);
std::string_view to_string(LogLevel level);
// The level as a text line shows it, five letters wide; and as the prefix of a line for a parent's
// log, as in sd-daemon(3): "<3>".
std::string_view to_label(LogLevel level);
std::string_view syslog_prefix(LogLevel level);
// Takes such a prefix off the front of a line. A line without one is kInfo.
LogLevel take_level(std::string_view& line);
std::string_view to_string(LogFormat format);

// `text` as the inside of a JSON string: quotes, backslashes, control characters and invalid UTF-8
// are escaped. Also fits between quotes on a text line.
void append_json_escaped(std::string& out, std::string_view text);
// `text` on one line of a terminal: control characters and invalid UTF-8 become \xNN.
void append_printable(std::string& out, std::string_view text);
// `text` as the value of `name=value`: as it is if it is printable ASCII without blanks, quotes,
// backslashes and equals signs, else quoted.
void append_value(std::string& out, std::string_view text);
// Now, as RFC 3339 in UTC with milliseconds: 2026-11-22T21:07:02.123Z.
void append_timestamp(std::string& out);

}  // namespace bentohost
