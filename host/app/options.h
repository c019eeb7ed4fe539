// The options of the command line as a table: the name of each, its text in --help, and what it
// does with its argument. Values.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "app/config.h"

namespace bentohost::app {

struct OptionEntry {
  const char *name, *argument, *description;  // argument: null when it takes none
  bool repeatable;
  std::function<Status(CommandLine&, std::string_view)> apply;
};

// Parses with `parse`, then stores the result in the field that `field` returns.
template <typename Parse, typename Field>
std::function<Status(CommandLine&, std::string_view)> store(Parse parse, Field field) {
  return [parse, field](CommandLine& line, std::string_view text) -> Status {
    auto value = parse(text);
    if (!value.ok()) return std::move(value).take_status();
    field(line.config) = *std::move(value);
    return {};
  };
}

// Parsers for store().
inline Result<std::string> any_text(std::string_view text) { return std::string(text); }
inline auto count_between(std::uint32_t least, std::uint32_t most) {
  return [least, most](std::string_view text) { return parse_count(text, least, most); };
}

std::vector<OptionEntry> service_options();  // plugins, runners, threads, queues
std::vector<OptionEntry> http_options();     // sockets, limits, TLS
std::vector<OptionEntry> reload_options();   // how plugins are replaced
std::vector<OptionEntry> general_options();  // logs, stopping, help

// All options, in the order of --help.
const std::vector<OptionEntry>& all_options();

}  // namespace bentohost::app
