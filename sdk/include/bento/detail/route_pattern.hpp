// RoutePattern: the paths of one route of a Router. A pure value. Part of <bento/bento.hpp>.
//
//   /flowers/new           that path
//   /flowers/{id}          a parameter: one segment, which is not empty
//   /static/{file:path}    at the end: the rest of the path, with its slashes; may be empty
//
// Paths are decoded: %2F is a slash like any other, and so ends a segment.
#pragma once

#include <algorithm>
#include <bento/error.hpp>
#include <bento/query.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bento::detail {

class RoutePattern {
 public:
  // Throws Error if the text is not a pattern.
  explicit RoutePattern(std::string_view pattern) {
    if (pattern.starts_with('/')) pattern.remove_prefix(1);  // it is optional
    for (std::optional<std::string_view> rest = pattern; rest;) {
      const Segment segment = read_segment(pattern, take_segment(rest));
      if (segment.kind == Kind::kRest && rest) refuse(pattern, "has {name:path} only at its end");
      segments_.push_back(segment);
    }
  }

  // The parameters of the path, if the pattern matches it.
  std::optional<PathParams> match(std::string_view path) const {
    if (!path.starts_with('/')) return std::nullopt;
    PathParams params;
    std::optional<std::string_view> rest = path.substr(1);
    for (const Segment& segment : segments_) {
      if (!rest) return std::nullopt;
      if (segment.kind == Kind::kRest) {
        params.add(segment.text, std::string(*rest));
        return params;
      }
      const std::string_view word = take_segment(rest);
      if (segment.kind == Kind::kText) {
        if (word != segment.text) return std::nullopt;
      } else {
        if (word.empty()) return std::nullopt;
        params.add(segment.text, std::string(word));
      }
    }
    if (rest) return std::nullopt;
    return params;
  }

  // Whether this pattern is tried before `other`: text goes before a parameter, from left to right.
  bool precedes(const RoutePattern& other) const {
    return std::lexicographical_compare(
        segments_.begin(), segments_.end(), other.segments_.begin(), other.segments_.end(),
        [](const Segment& a, const Segment& b) { return a.kind < b.kind; });
  }
  // Whether both match the same paths.
  bool equals(const RoutePattern& other) const {
    return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(),
                      other.segments_.end(), [](const Segment& a, const Segment& b) {
                        return a.kind == b.kind && (a.kind != Kind::kText || a.text == b.text);
                      });
  }

 private:
  enum class Kind { kText, kParameter, kRest };  // in the order in which they are tried
  struct Segment {
    Kind kind;
    std::string text;  // the literal text, or the parameter's name
  };

  [[noreturn]] static void refuse(std::string_view pattern, const std::string& why) {
    throw Error(BENTO_FAILED_PRECONDITION, "route " + std::string(pattern) + ": a route " + why);
  }
  // Takes the text up to the next slash from `rest`, which is empty if there is no slash.
  static std::string_view take_segment(std::optional<std::string_view>& rest) {
    const std::string_view all = *rest;
    const std::size_t slash = all.find('/');
    if (slash == std::string_view::npos) {
      rest.reset();
    } else {
      rest = all.substr(slash + 1);
    }
    return all.substr(0, slash);
  }
  static Segment read_segment(std::string_view pattern, std::string_view word) {
    if (word.find_first_of("{}") == std::string_view::npos) return {Kind::kText, std::string(word)};
    std::string_view name = word;
    if (!name.starts_with('{') || !name.ends_with('}')) refuse(pattern, kGrammar);
    name = name.substr(1, name.size() - 2);
    const bool is_rest = name.ends_with(":path");
    if (is_rest) name.remove_suffix(5);
    if (name.empty() || name.find_first_of("{}:") != std::string_view::npos) {
      refuse(pattern, kGrammar);
    }
    return {is_rest ? Kind::kRest : Kind::kParameter, std::string(name)};
  }

  static constexpr const char* kGrammar = "has a parameter for a whole segment: {name}";
  std::vector<Segment> segments_;
};

}  // namespace bento::detail
