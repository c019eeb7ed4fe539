// OptionList: the options that a service declares, and their JSON Schema. Part of
// <bento/bento.hpp>; see <bento/service.hpp>.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento::detail {

class OptionList {
 public:
  // The option has the type of `initial`.
  template <typename T>
  void add(std::string name, const T& initial, std::string doc) {
    Option option{std::move(name), {}, {}, std::move(doc)};
    rapidjson::StringBuffer text;
    Writer json(text);
    if constexpr (std::is_same_v<T, bool>) {
      option.type = R"("type":"boolean")";
      json.Bool(initial);
    } else if constexpr (std::is_unsigned_v<T>) {
      option.type = R"("type":"integer","minimum":0)";
      json.Uint64(initial);
    } else if constexpr (std::is_integral_v<T>) {
      option.type = R"("type":"integer")";
      json.Int64(initial);
    } else if constexpr (std::is_floating_point_v<T>) {
      option.type = R"("type":"number")";
      json.Double(initial);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      option.type = R"("type":"string")";
      write(json, initial);
    } else {
      option.type = R"("type":"array","items":{"type":"string"})";
      json.StartArray();
      for (const auto& item : initial) write(json, item);
      json.EndArray();
    }
    option.initial = text.GetString();
    options_.push_back(std::move(option));
  }

  // "" if there are no options.
  std::string schema() const {
    if (options_.empty()) return {};
    std::string all = R"({"type":"object","additionalProperties":false,"properties":{)";
    for (const Option& option : options_) {
      if (all.back() != '{') all += ',';
      all += quoted_json(option.name) + ":{" + option.type + ",\"default\":" + option.initial +
             ",\"description\":" + quoted_json(option.doc) + "}";
    }
    return all + "}}";
  }

 private:
  struct Option {
    std::string name, type, initial, doc;
  };
  using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

  static void write(Writer& json, std::string_view text) {
    json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  static std::string quoted_json(std::string_view text) {
    rapidjson::StringBuffer buffer;
    Writer json(buffer);
    write(json, text);
    return buffer.GetString();
  }

  std::vector<Option> options_;
};

}  // namespace bento::detail
