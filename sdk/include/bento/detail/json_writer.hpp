// JsonWriter: writes described structs, and the types of their members, as JSON. Part of
// <bento/bento.hpp>; see <bento/fields.hpp>.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <bento/detail/described.hpp>
#include <bento/detail/json_parser.hpp>
#include <bento/detail/json_pointer.hpp>
#include <bento/error.hpp>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace bento::detail {

// Throws Error, INTERNAL, if a result is not JSON, which no client could read.
inline void check_json_result(std::string_view text) {
  if (const auto fault = find_json_fault(text)) {
    throw Error(BENTO_INTERNAL, "the result is not JSON: " + *fault);
  }
}

// Throws Error, INTERNAL, for values that JSON cannot represent.
class JsonWriter {
 public:
  template <typename T>
  void write(const T& value) {
    if constexpr (kIsOptional<T>) {
      if (value) {
        write(*value);
      } else {
        json_.Null();
      }
    } else if constexpr (std::is_same_v<T, bool>) {
      json_.Bool(value);
    } else if constexpr (Number<T>) {
      write_number(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      write_text(value);
    } else if constexpr (DescribedEnum<T>) {
      write_enumerator(value);
    } else if constexpr (kIsVector<T>) {
      write_elements(value);
    } else {
      static_assert(Described<T>, "a member cannot have this type: see <bento/fields.hpp>");
      write_members(value);
    }
  }
  void write_text(std::string_view text) {
    if (!json_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()))) {
      refuse("text that is not UTF-8");
    }
  }
  // The shortest text that reads back the same; a float or double keeps its point: 5.0.
  template <Number N>
  void write_number(N number) {
    if constexpr (std::is_floating_point_v<N>) {
      if (!std::isfinite(number)) refuse("a number that is not finite");
    }
    char text[40];
    char* end = std::to_chars(text, text + sizeof text - 2, number).ptr;
    if constexpr (std::is_floating_point_v<N>) {
      if (std::string_view(text, end).find_first_of(".e") == std::string_view::npos) {
        *end++ = '.';
        *end++ = '0';
      }
    }
    json_.RawValue(text, static_cast<std::size_t>(end - text), rapidjson::kNumberType);
  }

  // For JSON without a C++ type, such as schemas.
  void key(std::string_view name) { write_text(name); }
  template <typename F>
  void object(F&& write_all) {
    enter();
    json_.StartObject();
    write_all();
    json_.EndObject();
    --depth_;
  }
  template <typename F>
  void array(F&& write_all) {
    enter();
    json_.StartArray();
    write_all();
    json_.EndArray();
    --depth_;
  }

  std::string text() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(BENTO_INTERNAL, pointer_.text() + ": JSON cannot hold " + what);
  }
  void enter() {
    if (++depth_ > kMaxJsonDepth) {
      refuse("more than " + std::to_string(kMaxJsonDepth) + " levels here");
    }
  }
  template <typename E>
  void write_enumerator(E value) {
    for (const auto& enumerator : kEnumerators<E>) {
      if (enumerator.value == value) return write_text(enumerator.name);
    }
    refuse("a value that BENTO_ENUM does not name");
  }
  template <typename V>
  void write_elements(const V& elements) {
    array([&] {
      std::size_t i = 0;
      for (const typename V::value_type& element : elements) {
        pointer_.descend(i++, [&] { write(element); });
      }
    });
  }
  template <typename T>
  void write_members(const T& value) {
    object([&] {
      for_each_field<T>([&](const auto& field) {
        key(field.name);
        pointer_.descend(field.name, [&] { write(value.*field.member); });
      });
    });
  }

  using Writer = rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>,
                                   rapidjson::CrtAllocator, rapidjson::kWriteValidateEncodingFlag>;
  rapidjson::StringBuffer buffer_;
  Writer json_{buffer_};
  JsonPointer pointer_;
  std::size_t depth_ = 0;
};

}  // namespace bento::detail
