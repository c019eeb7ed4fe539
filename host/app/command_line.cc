#include <Poco/Exception.h>
#include <Poco/Util/HelpFormatter.h>
#include <Poco/Util/Option.h>
#include <Poco/Util/OptionException.h>
#include <Poco/Util/OptionProcessor.h>
#include <Poco/Util/OptionSet.h>

#include <functional>
#include <sstream>
#include <utility>

#include "app/config.h"

namespace bentohost::app {
namespace {

using Poco::Util::Option;

// One option: how it reads on the command line and in --help, and what it does with its argument.
struct Entry {
  const char *name, *argument, *description;
  bool repeatable;
  std::function<Status(CommandLine&, std::string_view)> apply;
};

// Parses with `parse`, then stores what came out where `field` says.
template <typename Parse, typename Field>
std::function<Status(CommandLine&, std::string_view)> store(Parse parse, Field field) {
  return [parse, field](CommandLine& line, std::string_view text) -> Status {
    auto value = parse(text);
    if (!value.ok()) return std::move(value).take_status();
    field(line.config) = *std::move(value);
    return {};
  };
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "off") return text == "on";
  return Status(BENTO_INVALID_ARGUMENT, "expected on or off");
}

Status apply_runner_workers(CommandLine& line, std::string_view text) {
  const std::size_t equals = text.find('=');
  auto count = parse_count(text.substr(equals == std::string_view::npos ? 0 : equals + 1), 1, 1024);
  if (!count.ok())
    return Status(BENTO_INVALID_ARGUMENT, count.status().message() + ", or RUNNER=N");
  if (equals == std::string_view::npos) {
    line.config.runner_workers = *count;
  } else {
    line.config.runner_workers_of[std::string(text.substr(0, equals))] = *count;
  }
  return {};
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> kEntries = {
      {"plugin", "[/PREFIX=]LIBRARY",
       "serve this plugin; a bare name is looked up in $BENTOHOST_PLUGIN_PATH, the plugin folder "
       "and here. "
       "Repeatable; a prefix goes in front of its routes",
       true,
       [](CommandLine& line, std::string_view text) -> Status {
         auto plugin = parse_plugin(text);
         if (!plugin.ok()) return std::move(plugin).take_status();
         line.config.plugins.push_back(*std::move(plugin));
         return {};
       }},
      {"set", "SERVICE.OPTION=VALUE",
       "set a service's option: JSON if it parses, else text. Repeatable", true,
       [](CommandLine& line, std::string_view text) -> Status {
         auto setting = parse_setting(text);
         if (!setting.ok()) return std::move(setting).take_status();
         line.config.settings.push_back(*std::move(setting));
         return {};
       }},
      {"host", "NAME", "address to listen on (127.0.0.1)", false,
       [](CommandLine& line, std::string_view text) {
         line.config.host = text;
         return Status();
       }},
      {"port", "N", "port to listen on (3000); 0 picks a free one", false,
       store([](std::string_view text) { return parse_count(text, 0, 65535); },
             [](Config & c) -> auto& { return c.port; })},
      {"loops", "N", "event loops that serve connections (one a core, at most 8)", false,
       store([](std::string_view text) { return parse_count(text, 1, 256); },
             [](Config & c) -> auto& { return c.loops; })},
      {"max-in-flight", "N", "most requests of APIs at once (4096); more are answered 503", false,
       store([](std::string_view text) { return parse_count(text, 1, 1u << 24); },
             [](Config & c) -> auto& { return c.max_in_flight; })},
      {"threads", "N", "most handlers that may wait at once, a thread for each (512)", false,
       store([](std::string_view text) { return parse_count(text, 1, 65536); },
             [](Config & c) -> auto& { return c.threads; })},
      {"runner-workers", "[RUNNER=]N", "processes of each runner (1), or of one. Repeatable", true,
       apply_runner_workers},
      {"max-queue", "N", "calls that may wait for a runner method (1024); more are answered 503",
       false,
       store([](std::string_view text) { return parse_count(text, 1, 1u << 24); },
             [](Config & c) -> auto& { return c.max_queue; })},
      {"timeout", "SECONDS", "longest time for a request (60); then 504", false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.timeout; })},
      {"timeout-graceful-shutdown", "SECONDS",
       "longest wait for requests in flight when told to stop (30)", false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.graceful_timeout; })},
      {"max-body", "BYTES", "largest request body (64m); larger ones are answered 413", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.limits.max_body; })},
      {"log-level", "LEVEL", "trace, debug, info, warning, error or off (info)", false,
       [](CommandLine& line, std::string_view text) -> Status {
         if (parse_log_level(text, line.config.log_level)) return {};
         return Status(BENTO_INVALID_ARGUMENT,
                       "expected trace, debug, info, warning, error or off");
       }},
      {"log-format", "FORMAT", "text or json (text)", false,
       [](CommandLine& line, std::string_view text) -> Status {
         if (parse_log_format(text, line.config.log_format)) return {};
         return Status(BENTO_INVALID_ARGUMENT, "expected text or json");
       }},
      {"access-log", "on|off", "a line on stdout for each request (on)", false,
       store(
           parse_switch, [](Config & c) -> auto& { return c.access_log; })},
      {"debug", nullptr, "tell clients the details of errors 500", false,
       [](CommandLine& line, std::string_view) {
         line.config.debug = true;
         return Status();
       }},
      {"version", nullptr, "print the version and end", false,
       [](CommandLine& line, std::string_view) {
         line.action = CommandLine::Action::kVersion;
         return Status();
       }},
      {"help", nullptr, "print this and end", false,
       [](CommandLine& line, std::string_view) {
         line.action = CommandLine::Action::kHelp;
         return Status();
       }},
  };
  return kEntries;
}

Poco::Util::OptionSet option_set() {
  Poco::Util::OptionSet options;
  for (const Entry& entry : entries()) {
    Option option(entry.name, "", entry.description, false);
    if (entry.argument != nullptr) option.argument(entry.argument);
    option.repeatable(entry.repeatable);
    options.addOption(option);
  }
  return options;
}

Status apply(CommandLine& line, const std::string& name, const std::string& value) {
  for (const Entry& entry : entries()) {
    if (name != entry.name) continue;
    return entry.apply(line, value)
        .prefixed("--" + name + (value.empty() ? "" : " " + value) + ": ");
  }
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  const Poco::Util::OptionSet options = option_set();
  Poco::Util::OptionProcessor processor(options);
  processor.setUnixStyle(true);
  try {
    for (const std::string& argument : arguments) {
      std::string name, value;
      if (!processor.process(argument, name, value)) {
        return Status(BENTO_INVALID_ARGUMENT,
                      "unexpected argument " + argument + "; a plugin is given with --plugin");
      }
      if (name.empty()) continue;  // its argument is the next one
      Status status = apply(line, name, value);
      if (!status.ok()) return status;
      if (line.action != CommandLine::Action::kServe) return line;
    }
    processor.checkRequired();
  } catch (const Poco::Exception& e) {
    return Status(BENTO_INVALID_ARGUMENT, e.displayText());
  }
  if (line.config.plugins.empty()) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "no plugin to serve; give one with --plugin, such as --plugin libiris.so");
  }
  return line;
}

std::string help_text() {
  const Poco::Util::OptionSet options = option_set();
  Poco::Util::HelpFormatter help(options);
  help.setCommand("bentohost");
  help.setUsage("--plugin LIBRARY [option...]");
  help.setHeader(
      "Serves the services of plugins over HTTP, their runners in processes of their own.");
  help.setFooter(
      "SIGTERM and SIGINT end it after the requests in flight; a second one ends it at once.");
  help.setUnixStyle(true);
  help.setWidth(100);
  std::ostringstream out;
  help.format(out);
  return out.str();
}

}  // namespace bentohost::app
