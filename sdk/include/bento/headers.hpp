// Headers: an owned list of header fields, in order, duplicates kept. A value, as std::vector is
// one: it checks nothing; the host refuses what cannot be sent when it is sent. Part of
// <bento/bento.hpp>.
//
//   bento::Headers headers{{"Cache-Control", "no-store"}};
//   headers.add("Set-Cookie", "a=1");
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento {
namespace detail {

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace detail

// Names are kept as they are given, and matched without regard to case (RFC 9110 5.1). What arrives
// in requests has its names in lower case. Views that it returns are valid until the next change.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}
  // Copies the ABI's.
  explicit Headers(bento_pairs pairs) {
    for (std::size_t i = 0; i < pairs.len; ++i) {
      add(detail::view(pairs.ptr[i].name), detail::view(pairs.ptr[i].value));
    }
  }

  // The value of the first of that name, or "".
  std::string_view get(std::string_view name) const {
    for (const Field& field : fields_) {
      if (detail::same_name(field.first, name)) return field.second;
    }
    return {};
  }
  bool has(std::string_view name) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Field& field) { return detail::same_name(field.first, name); });
  }
  // Appends; those of the same name stay.
  void add(std::string_view name, std::string_view value) {
    fields_.emplace_back(std::string(name), std::string(value));
  }
  // The same, in place of all of that name.
  void set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
  }
  // All of that name.
  void remove(std::string_view name) {
    std::erase_if(fields_,
                  [&](const Field& field) { return detail::same_name(field.first, name); });
  }

  // As pairs of name and value.
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

  // For the ABI: views of all, valid until the next change.
  std::vector<bento_pair> abi() const {
    std::vector<bento_pair> pairs;
    pairs.reserve(fields_.size());
    for (const Field& field : fields_) {
      pairs.push_back({detail::str(field.first), detail::str(field.second)});
    }
    return pairs;
  }

 private:
  std::vector<Field> fields_;
};

}  // namespace bento
