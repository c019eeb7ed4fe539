// SchemaWriter: writes the JSON Schema (draft 4) of a described struct and of its members' types.
// Part of <bento/bento.hpp>; see <bento/fields.hpp>.
#pragma once

#include <algorithm>
#include <bento/detail/described.hpp>
#include <bento/detail/json_writer.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace bento::detail {

class SchemaWriter {
 public:
  // `initial`: the value of a member that is missing from the JSON, or nullptr.
  template <typename M>
  void write(const RulesOf<M>& rules = {}, const M* initial = nullptr) {
    using T = typename Required<M>::Type;
    json_.object([&] {
      write_type(kTypeName<T>, kIsOptional<M>);
      write_text("description", rules.doc);
      if constexpr (Number<T>) {
        write_bounds(rules);
      } else if constexpr (std::is_same_v<T, std::string>) {
        write_sizes(rules, "minLength", "maxLength");
      } else if constexpr (kIsVector<T>) {
        json_.key("items");
        write<typename T::value_type>();
        write_sizes(rules, "minItems", "maxItems");
      } else if constexpr (DescribedEnum<T>) {
        write_names<T>(kIsOptional<M>);
      } else if constexpr (!std::is_same_v<T, bool>) {
        write_members<T>();
      }
      if (initial != nullptr) {
        json_.key("default");
        json_.write(*initial);
      }
    });
  }
  std::string text() const { return json_.text(); }

 private:
  template <typename T>
  static constexpr std::string_view kTypeName = std::is_same_v<T, bool> ? "boolean"
                                                : Integer<T>            ? "integer"
                                                : Number<T>             ? "number"
                                                : kIsVector<T>          ? "array"
                                                : Described<T>          ? "object"
                                                                        : "string";

  void write_text(std::string_view key, std::string_view text) {
    if (text.empty()) return;
    json_.key(key);
    json_.write_text(text);
  }
  template <typename N>
  void write_number(std::string_view key, N number) {
    json_.key(key);
    json_.write_number(number);
  }
  void write_type(std::string_view name, bool or_null) {
    if (!or_null) return write_text("type", name);
    json_.key("type");
    json_.array([&] {
      json_.write_text(name);
      json_.write_text("null");
    });
  }
  template <typename T>
  void write_bounds(const Rules<T>& rules) {
    using Doubles = std::numeric_limits<double>;
    if (Integer<T> || static_cast<double>(rules.least) != Doubles::lowest()) {
      write_number("minimum", rules.least);
      write_flag("exclusiveMinimum", rules.excludes_least);
    }
    if (Integer<T> || static_cast<double>(rules.most) != Doubles::max()) {
      write_number("maximum", rules.most);
      write_flag("exclusiveMaximum", rules.excludes_most);
    }
  }
  void write_flag(std::string_view key, bool flag) {
    if (!flag) return;
    json_.key(key);
    json_.write(true);
  }
  template <typename R>
  void write_sizes(const R& rules, std::string_view least, std::string_view most) {
    if (rules.min_size != 0) write_number(least, rules.min_size);
    if (rules.max_size != std::numeric_limits<std::uint32_t>::max()) {
      write_number(most, rules.max_size);
    }
  }
  template <typename E>
  void write_names(bool or_null) {
    json_.key("enum");
    json_.array([&] {
      for (const auto& enumerator : kEnumerators<E>) json_.write_text(enumerator.name);
      if (or_null) json_.write(std::optional<bool>());
    });
  }
  // A struct nested in one of its own type is only declared to be an object: JsonReader checks its
  // members.
  template <typename T>
  void write_members() {
    const void* const self = &kDescription<T>;
    if (std::find(open_.begin(), open_.end(), self) != open_.end()) return;
    open_.push_back(self);
    const T initial{};
    bool has_required = false;
    json_.key("properties");
    json_.object([&] {
      for_each_field<T>([&](const auto& field) {
        has_required = has_required || field.is_required();
        json_.key(field.name);
        write(field.rules, field.rules.has_default ? &(initial.*field.member) : nullptr);
      });
    });
    if (has_required) {
      json_.key("required");
      json_.array([&] {
        for_each_field<T>([&](const auto& field) {
          if (field.is_required()) json_.write_text(field.name);
        });
      });
    }
    if (kDescription<T>.is_strict) {
      json_.key("additionalProperties");
      json_.write(false);
    }
    open_.pop_back();
  }

  JsonWriter json_;
  std::vector<const void*> open_;  // the structs around what is being written
};

}  // namespace bento::detail
