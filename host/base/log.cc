#include "base/log.h"

#include <Poco/AutoPtr.h>
#include <Poco/Channel.h>
#include <Poco/Formatter.h>
#include <Poco/FormattingChannel.h>
#include <Poco/Logger.h>
#include <Poco/Message.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <exception>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "base/output_fd.h"

namespace bentohost {
namespace {

std::atomic<int> the_fd = STDERR_FILENO;

constexpr char kFieldsParameter[] = "fields";

struct LevelNames {
  LogLevel level;
  std::string_view name;   // in options and in JSON
  std::string_view label;  // in text, padded
  int priority;            // Poco's
};
constexpr std::array kLevels{
    LevelNames{LogLevel::kTrace, "trace", "TRACE", Poco::Message::PRIO_TRACE},
    LevelNames{LogLevel::kDebug, "debug", "DEBUG", Poco::Message::PRIO_DEBUG},
    LevelNames{LogLevel::kInfo, "info", "INFO ", Poco::Message::PRIO_INFORMATION},
    LevelNames{LogLevel::kWarning, "warning", "WARN ", Poco::Message::PRIO_WARNING},
    LevelNames{LogLevel::kError, "error", "ERROR", Poco::Message::PRIO_ERROR},
    LevelNames{LogLevel::kOff, "off", "OFF  ", 0},
};

const LevelNames& names(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

// The level nearest to a Poco priority; Poco also has notice, critical and fatal.
const LevelNames& names_of_priority(int priority) {
  for (const LevelNames& level : kLevels) {
    if (priority >= level.priority && level.priority != 0) return level;
  }
  return names(LogLevel::kError);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  append_json_escaped(out, name);
  out += "\":\"";
  append_json_escaped(out, value);
  out += '"';
}

void append_member(std::string& out, const LogField& field) {
  if (!field.value.is_number()) return append_member(out, field.name, field.value.text());
  out += ",\"";
  append_json_escaped(out, field.name);
  out += "\":";
  out += field.value.text();
}

void append_json_fields(std::string& out, std::span<const LogField> fields) {
  std::string plugins;
  for (const LogField& field : fields) append_member(field.is_plugins ? plugins : out, field);
  if (!plugins.empty()) out += ",\"fields\":{" + plugins.substr(1) + "}";
}

void append_text_fields(std::string& out, std::span<const LogField> fields) {
  for (const LogField& field : fields) {
    out += ' ';
    append_printable(out, field.name);
    out += '=';
    append_value(out, field.value.text());
  }
}

// Both formatters append log()'s fields as one text: Poco's parameters would be sorted.
class TextFormatter final : public Poco::Formatter {
 public:
  void format(const Poco::Message& message, std::string& line) override {
    append_timestamp(line);
    line += ' ';
    line += names_of_priority(message.getPriority()).label;
    line += " [";
    append_printable(line, message.getSource());
    line += "] ";
    append_printable(line, message.getText());
    if (message.has(kFieldsParameter)) line += message[kFieldsParameter];
    line += '\n';
  }
};

class JsonFormatter final : public Poco::Formatter {
 public:
  void format(const Poco::Message& message, std::string& line) override {
    line += "{\"time\":\"";
    append_timestamp(line);
    line += '"';
    append_member(line, "level", names_of_priority(message.getPriority()).name);
    append_member(line, "component", message.getSource());
    append_member(line, "message", message.getText());
    if (message.has(kFieldsParameter)) line += message[kFieldsParameter];
    line += "}\n";
  }
};

constexpr Duration kPatience = std::chrono::milliseconds(100);  // with a reader that has stopped

// Poco's ConsoleChannel goes through std::cerr. This channel makes one write(2) per line, which the
// kernel does not interleave with lines of the runners that share the descriptor. It does not wait
// long for the reader, since the logging thread may be one that everybody waits for. Such lines are
// lost, and when the next one gets through, a warning says how many.
class StderrChannel final : public Poco::Channel {
 public:
  void log(const Poco::Message& message) override {
    std::size_t lost = 0;
    {
      const MutexLock lock(mutex_);
      if (std::exchange(inside_a_line_, false)) inside_a_line_ = !write_all("\n");
      if (inside_a_line_ || !write_all(message.getText())) {
        ++lost_;
      } else {
        lost = std::exchange(lost_, 0);
      }
    }
    if (lost == 0) return;
    log_warning("lines of this log could not be written", {{"lines", lost}});
  }

 private:
  bool write_all(std::string_view text) BENTO_REQUIRES(mutex_) {
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t n = out_.write(rest);
      if (n >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(n));
        stuck_ = false;
      } else if (errno == EAGAIN && !stuck_ && out_.wait_writable(kPatience)) {
        continue;
      } else if (errno != EINTR) {
        stuck_ = errno == EAGAIN;
        inside_a_line_ = rest.size() < text.size();
        return false;
      }
    }
    return true;
  }

  Mutex mutex_;
  OutputFd out_ BENTO_GUARDED_BY(mutex_){the_fd};
  bool inside_a_line_ BENTO_GUARDED_BY(mutex_) = false;  // the last line was cut short
  bool stuck_ BENTO_GUARDED_BY(mutex_) = false;  // no more patience until something gets through
  std::size_t lost_ BENTO_GUARDED_BY(mutex_) = 0;
};

struct Log {
  Poco::Logger* logger = nullptr;
  std::string component;
  LogFormat format = LogFormat::kText;
  std::atomic<int> priority{0};
};

void configure(Log& log, LogLevel level, LogFormat format, std::string_view component) {
  using Poco::AutoPtr;
  const AutoPtr<Poco::Formatter> formatter(format == LogFormat::kJson
                                               ? static_cast<Poco::Formatter*>(new JsonFormatter)
                                               : new TextFormatter);
  const AutoPtr<Poco::Channel> channel(new StderrChannel);
  log.logger->setChannel(AutoPtr<Poco::Channel>(new Poco::FormattingChannel(formatter, channel)));
  log.logger->setLevel(names(level).priority);
  log.component = component;
  log.format = format;
  log.priority.store(names(level).priority, std::memory_order_relaxed);
}

// Usable before configure_log(), and until the process ends: it is never destroyed.
Log& the_log() {
  static Log& log = []() -> Log& {
    auto* made = new Log;
    made->logger = &Poco::Logger::root();
    made->logger->duplicate();  // outlives Poco's own shutdown at exit
    configure(*made, LogLevel::kInfo, LogFormat::kText, "host");
    return *made;
  }();
  return log;
}

}  // namespace

void LogValue::set(std::int64_t number) {
  size_ = static_cast<std::uint8_t>(
      std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr - digits_.data());
}

void LogValue::set(std::uint64_t number) {
  size_ = static_cast<std::uint8_t>(
      std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr - digits_.data());
}

void configure_log(LogLevel level, LogFormat format, std::string_view component, int fd) {
  the_fd = fd;
  configure(the_log(), level, format, component);
}

int log_fd() { return the_fd; }

bool log_enabled(LogLevel level) {
  return level != LogLevel::kOff &&
         names(level).priority <= the_log().priority.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  log_fields(level, message, fields.begin(), fields.size());
}

void log_fields(LogLevel level, std::string_view message, const LogField* fields,
                std::size_t count) {
  if (!log_enabled(level)) return;
  Log& log = the_log();
  try {
    std::string text;
    if (log.format == LogFormat::kJson) {
      append_json_fields(text, {fields, count});
    } else {
      append_text_fields(text, {fields, count});
    }
    Poco::Message event(log.component, std::string(message),
                        static_cast<Poco::Message::Priority>(names(level).priority));
    if (!text.empty()) event.set(kFieldsParameter, text);
    log.logger->log(event);
  } catch (const std::exception&) {
    // A line that cannot be logged (no memory) is lost; the work that it reports goes on.
  }
}

bool parse_log_level(std::string_view text, LogLevel& out) {
  for (const LevelNames& level : kLevels) {
    if (level.name != text) continue;
    out = level.level;
    return true;
  }
  return false;
}

bool parse_log_format(std::string_view text, LogFormat& out) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    if (to_string(format) != text) continue;
    out = format;
    return true;
  }
  return false;
}

std::string_view to_string(LogLevel level) { return names(level).name; }
std::string_view to_label(LogLevel level) { return names(level).label; }

// syslog's levels: 3 error, 4 warning, 6 info, 7 debug.
std::string_view syslog_prefix(LogLevel level) {
  return level >= LogLevel::kError     ? "<3>"
         : level == LogLevel::kWarning ? "<4>"
         : level <= LogLevel::kDebug   ? "<7>"
                                       : "<6>";
}

LogLevel take_level(std::string_view& line) {
  if (line.size() < 3 || line[0] != '<' || line[2] != '>' || line[1] < '0' || line[1] > '7') {
    return LogLevel::kInfo;
  }
  const char level = line[1];
  line.remove_prefix(3);
  if (level <= '3') return LogLevel::kError;
  if (level == '4') return LogLevel::kWarning;
  return level == '7' ? LogLevel::kDebug : LogLevel::kInfo;
}

std::string_view to_string(LogFormat format) {
  return format == LogFormat::kJson ? "json" : "text";
}

}  // namespace bentohost
