#include "runner/hello.h"

#include "json/json.h"

namespace bentohost::runner {
namespace {

std::string quoted(const std::string& text) {
  return write_json(rapidjson::Value(rapidjson::StringRef(text.data(), text.size())));
}

}  // namespace

std::string encode_hello(const Hello& hello) {
  return "{\"instance\":" + quoted(hello.instance) +
         ",\"description\":" + quoted(hello.description) + ",\"options\":" + hello.options + "}";
}

Result<Hello> decode_hello(std::string_view text) {
  const auto members = json_members(text);
  if (!members.ok()) return members.status();
  Hello hello;
  for (const auto& [name, value] : *members) {
    if (name == "options") {
      hello.options = value;
      continue;
    }
    const auto string = parse_json(value);
    if (!string.ok() || !string->IsString()) {
      return Status(BENTO_INVALID_ARGUMENT, "hello: " + name + " is not a string");
    }
    (name == "instance" ? hello.instance : hello.description) = {string->GetString(),
                                                                 string->GetStringLength()};
  }
  return hello;
}

}  // namespace bentohost::runner
