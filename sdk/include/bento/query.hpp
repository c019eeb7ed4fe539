// Query and PathParams: what a request says by name in its query, or in its path. Params is what
// both are. Values are owned texts, which get<T>() reads as other types. Handlers of a Router ask
// for them by type; others make a Query of the text after the '?'. Part of <bento/bento.hpp>.
//
//   app.get("/search", [](const bento::Query& query) {
//     return find(query.get("q"), query.get("limit", 10));   // ?q=blue+iris&limit=20
//   });
#pragma once

#include <algorithm>
#include <bento/detail/described.hpp>
#include <bento/detail/text.hpp>
#include <bento/error.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento {

// Names and values, decoded, in the order in which they came, duplicates kept; names are matched
// exactly. A value: views are valid as long as it lives.
class Params {
 public:
  using Pair = std::pair<std::string, std::string>;

  // The first value of that name, which may be ""; nullopt if the query has no such name.
  std::optional<std::string_view> find(std::string_view name) const {
    for (const Pair& pair : pairs_) {
      if (pair.first == name) return pair.second;
    }
    return std::nullopt;
  }
  bool has(std::string_view name) const { return find(name).has_value(); }
  // All values of that name: ?tag=a&tag=b.
  std::vector<std::string_view> all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Pair& pair : pairs_) {
      if (pair.first == name) values.push_back(pair.second);
    }
    return values;
  }

  // The first value as a std::string, a bool ("true", "1", "false", "0"), an integer, a finite
  // float or double, or an enum with BENTO_ENUM by its name. The whole value has to be one. Throws
  // Error, 422, if it is missing or is not: "query parameter limit: expected an integer from ...,
  // got "x"".
  template <typename T = std::string>
  T get(std::string_view name) const {
    const auto text = find(name);
    if (!text) refuse(name, "is missing");
    const auto value = detail::from_text<T>(*text);
    if (!value) {
      refuse(name, "expected " + detail::kind_of_text<T>() + ", got " + detail::quoted(*text));
    }
    return *value;
  }
  // The same, with a value for when it is missing. One that is there has to be a T all the same.
  template <detail::ReadFromText T>
  T get(std::string_view name, T missing) const {
    return has(name) ? get<T>(name) : missing;
  }
  std::string get(std::string_view name, std::string_view missing) const {
    return std::string(find(name).value_or(missing));
  }

  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }
  std::size_t size() const { return pairs_.size(); }
  bool empty() const { return pairs_.empty(); }

 protected:
  explicit Params(std::string_view kind) : kind_(kind) {}
  void add(std::string name, std::string value) {
    pairs_.emplace_back(std::move(name), std::move(value));
  }

 private:
  [[noreturn]] void refuse(std::string_view name, const std::string& why) const {
    throw Error(BENTO_INVALID_ARGUMENT,
                std::string(kind_) + " parameter " + std::string(name) + ": " + why, 422);
  }

  std::string_view kind_;
  std::vector<Pair> pairs_;
};

// The part of a URL after its "?", as browsers send forms (WHATWG URL, section 5.1): "+" is a
// space, %XX a byte, and a "%" that is neither itself.
class Query : public Params {
 public:
  explicit Query(std::string_view text) : Params("query") {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('&'), text.size());
      const std::string_view pair = text.substr(0, end);
      const std::size_t equals = std::min(pair.find('='), pair.size());
      if (!pair.empty()) {
        add(decode(pair.substr(0, equals)), decode(pair.substr(std::min(equals + 1, pair.size()))));
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

 private:
  static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  }
  static std::string decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
      if (low >= 0) {
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
      } else {
        decoded += text[i] == '+' ? ' ' : text[i];
      }
    }
    return decoded;
  }
};

// What a path has for the {name}s of its route, percent-decoded.
class PathParams : public Params {
 public:
  PathParams() : Params("path") {}
  using Params::add;
};

}  // namespace bento
