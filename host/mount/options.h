// The options of an app server mount as a table: JSON, the command line and --help all read it. A
// value; any thread.
#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "mount/app_spec.h"

namespace bentohost::mount {

struct TextField {
  std::string AppSpec::*field;
  std::string_view (*fault)(std::string_view);  // what was expected; "" if the text can be taken
};
struct CountField {
  std::variant<std::uint32_t AppSpec::*, std::uint64_t AppSpec::*> field;
  std::uint32_t least, most;
};
struct BytesField {
  std::uint64_t AppSpec::*field;
};
struct SecondsField {
  Duration AppSpec::*field;
};
struct SwitchField {
  bool AppSpec::*field;
};
struct EnvironmentField {};  // of the command line: "env.NAME"; of JSON: an object, "environment"

struct Option {
  std::string_view name, argument, doc;
  unsigned kinds;  // a bit for each AppKind
  std::variant<TextField, CountField, BytesField, SecondsField, SwitchField, EnvironmentField>
      field;

  bool is_for(AppKind kind) const { return (kinds >> static_cast<unsigned>(kind) & 1) != 0; }
};

// In the order of the docs.
std::span<const Option> options();

// Sets an option from the text of the command line: ("threads", "8"), ("env.DEBUG", "1").
// INVALID_ARGUMENT: no such option, none of this kind of app, or a value that it does not take.
Status set_option(AppSpec& app, std::string_view name, std::string_view value);
// The same from JSON: numbers for counts and seconds, numbers or texts ("512m") for bytes, true and
// false for switches, and for "environment" an object of texts. The message names the option.
Status set_option(AppSpec& app, std::string_view name, const rapidjson::Value& value);

// A line or two for each option: name, argument, meaning and kinds, for --help.
std::string options_help();

}  // namespace bentohost::mount
