// JsonReader: reads described structs, and the types of their members, from parsed JSON. It goes on
// after a member that is wrong, to report all of them. Part of <bento/bento.hpp>; see
// <bento/fields.hpp>.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <bento/detail/described.hpp>
#include <bento/detail/json_parser.hpp>
#include <bento/detail/json_pointer.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/detail/text.hpp>
#include <bento/error.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace bento::detail {

inline std::string_view view(const rapidjson::Value& string) {
  return {string.GetString(), string.GetStringLength()};
}

// Throws Error, 400, if the text is not JSON (RFC 8259) in UTF-8, or is nested too deep.
inline void parse_json(std::string_view text, rapidjson::Document& document) {
  if (const auto fault = find_json_fault(text, document)) {
    throw Error(BENTO_INVALID_ARGUMENT, *fault);
  }
}

class JsonReader {
 public:
  template <typename M>
  void read(const rapidjson::Value& json, M& out, const RulesOf<M>& rules = {}) {
    if constexpr (kIsOptional<M>) {
      if (json.IsNull()) {
        out.reset();
      } else {
        read(json, out.emplace(), rules);
      }
    } else if constexpr (std::is_same_v<M, bool>) {
      if (!json.IsBool()) return expect("true or false", json);
      out = json.GetBool();
    } else if constexpr (Integer<M>) {
      read_integer(json, out, rules);
    } else if constexpr (Number<M>) {
      if (!json.IsNumber()) return expect("a number", json);
      if (is_within(json.GetDouble(), rules, json)) out = static_cast<M>(json.GetDouble());
    } else if constexpr (std::is_same_v<M, std::string>) {
      if (!json.IsString()) return expect("a string", json);
      if (has_size(count_characters(view(json)), rules, "character")) out = view(json);
    } else if constexpr (DescribedEnum<M>) {
      const auto found = json.IsString() ? find_enumerator<M>(view(json)) : std::nullopt;
      if (!found) return expect("one of " + list_enumerators<M>(), json);
      out = *found;
    } else if constexpr (kIsVector<M>) {
      read_elements(json, out, rules);
    } else {
      static_assert(Described<M>, "a member cannot have this type: see <bento/fields.hpp>");
      read_members(json, out);
    }
  }

  // Throws Error, 422, with all faults found, if there are any.
  void check() const {
    if (n_faults_ == 0) return;
    std::string message = faults_;
    if (n_faults_ > kMaxFaults) {
      message += "; and " + std::to_string(n_faults_ - kMaxFaults) + " more";
    }
    throw Error(BENTO_INVALID_ARGUMENT, message, 422);
  }

 private:
  static constexpr std::size_t kMaxFaults = 100;     // reported one by one
  static constexpr std::size_t kMaxNameBytes = 100;  // quoted from an unknown member's name

  void tell(const std::string& fault) {
    if (++n_faults_ > kMaxFaults) return;
    faults_ += (n_faults_ == 1 ? "" : "; ") + pointer_.text() + ": " + fault;
  }
  void expect(const std::string& what, const rapidjson::Value& json) {
    tell("expected " + what + ", got " + in_words(json));
  }
  static std::string in_words(const rapidjson::Value& json) {
    if (json.IsObject()) return "an object";
    if (json.IsArray()) return "an array";
    if (json.IsString()) return quoted(view(json));
    if (json.IsDouble()) return words(json.GetDouble());
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    json.Accept(writer);
    return text.GetString();
  }

  template <typename M>
  void read_integer(const rapidjson::Value& json, M& out, const Rules<M>& rules) {
    if (json.IsInt64()) {
      if (is_within(json.GetInt64(), rules, json)) out = static_cast<M>(json.GetInt64());
    } else if (json.IsUint64()) {
      if (is_within(json.GetUint64(), rules, json)) out = static_cast<M>(json.GetUint64());
    } else {
      expect("an integer", json);
    }
  }
  // -1, 0 or 1 if the number is less than, equal to or greater than the bound.
  template <typename N, typename B>
  static int compare(N number, B bound) {
    if constexpr (std::is_integral_v<N>) {
      return std::cmp_less(number, bound) ? -1 : std::cmp_greater(number, bound) ? 1 : 0;
    } else {
      return number < bound ? -1 : number > bound ? 1 : 0;
    }
  }
  template <typename N, typename R>
  bool is_within(N number, const R& rules, const rapidjson::Value& json) {
    const int to_least = compare(number, rules.least), to_most = compare(number, rules.most);
    std::string demand;
    if (to_least < 0 || (to_least == 0 && rules.excludes_least)) {
      demand =
          (rules.excludes_least ? "must be more than " : "must be at least ") + words(rules.least);
    } else if (to_most > 0 || (to_most == 0 && rules.excludes_most)) {
      demand =
          (rules.excludes_most ? "must be less than " : "must be at most ") + words(rules.most);
    } else {
      return true;
    }
    tell(demand + ", got " + in_words(json));
    return false;
  }
  template <typename B>
  static std::string words(B bound) {
    JsonWriter writer;
    writer.write_number(bound);
    return writer.text();
  }
  template <typename R>
  bool has_size(std::size_t size, const R& rules, const std::string& unit) {
    const bool is_short = size < rules.min_size;
    if (!is_short && size <= rules.max_size) return true;
    const std::uint32_t bound = is_short ? rules.min_size : rules.max_size;
    tell((is_short ? "must have at least " : "must have at most ") + std::to_string(bound) + " " +
         unit + (bound == 1 ? "" : "s") + ", has " + std::to_string(size));
    return false;
  }

  template <typename V>
  void read_elements(const rapidjson::Value& json, V& out, const Rules<V>& rules) {
    if (!json.IsArray()) return expect("an array", json);
    if (!has_size(json.Size(), rules, "element")) return;
    out.clear();
    out.reserve(json.Size());
    for (rapidjson::SizeType i = 0; i < json.Size(); ++i) {
      typename V::value_type element{};
      pointer_.descend(i, [&] { read(json[i], element); });
      out.push_back(std::move(element));
    }
  }

  template <typename T>
  void read_members(const rapidjson::Value& json, T& out) {
    if (!json.IsObject()) return expect("an object", json);
    for_each_field<T>([&](const auto& field) {
      pointer_.descend(field.name, [&] {
        if (const rapidjson::Value* member = find_last(json, field.name)) {
          read(*member, out.*field.member, field.rules);
        } else if (field.is_required()) {
          tell("is missing");
        }
      });
    });
    if (kDescription<T>.is_strict) refuse_others<T>(json);
  }
  // If a member occurs twice, the last one counts, as in Python and JavaScript.
  static const rapidjson::Value* find_last(const rapidjson::Value& object, std::string_view name) {
    for (auto member = object.MemberEnd(); member != object.MemberBegin();) {
      if (view((--member)->name) == name) return &member->value;
    }
    return nullptr;
  }
  template <typename T>
  void refuse_others(const rapidjson::Value& object) {
    for (const auto& member : object.GetObject()) {
      const std::string_view name = view(member.name);
      bool is_known = false;
      for_each_field<T>([&](const auto& field) { is_known = is_known || field.name == name; });
      if (!is_known) {
        pointer_.descend(printable(name, kMaxNameBytes), [&] { tell("is not known"); });
      }
    }
  }

  JsonPointer pointer_;
  std::string faults_;
  std::size_t n_faults_ = 0;
};

}  // namespace bento::detail
