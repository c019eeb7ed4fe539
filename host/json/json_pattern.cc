#include "json/json_pattern.h"

#include <rapidjson/document.h>
#include <rapidjson/internal/regex.h>

#include <charconv>

namespace bentohost {
namespace {

constexpr std::string_view kPlainEscapes = "^$|()?*+.[]{}\\fnrtv";

bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

// One pass over the expression that remembers what precedes each character.
class PatternScan {
 public:
  explicit PatternScan(std::string_view pattern) : pattern_(pattern) {}

  std::string defect() {
    while (at_ < pattern_.size()) {
      if (std::string what = step(); !what.empty()) return what;
    }
    if (depth_ > 0) return "a ( is never closed";
    if (last_ == Last::kNothing) return "it ends in an empty alternative";
    if (anchored_ && alternatives_) return "^ and $ hold for one alternative only: write ^(a|b)$";
    return {};
  }

 private:
  enum class Last { kNothing, kAtom, kRepeat };  // in the current alternative

  std::string step() {
    const char c = pattern_[at_++];
    switch (c) {
      case '\0':
        return "it holds U+0000";
      case '^':
        anchored_ = true;
        return at_ == 1 ? "" : "^ is supported only as the first character";
      case '$':
        anchored_ = true;
        return at_ == pattern_.size() ? "" : "$ is supported only as the last character";
      case '(':
        ++depth_;
        return begin_alternative();
      case '|':
        alternatives_ = alternatives_ || depth_ == 0;
        return last_ == Last::kNothing ? "an alternative is empty" : begin_alternative();
      case ')':
        if (depth_-- == 0) return "a ) closes nothing";
        if (last_ == Last::kNothing) return "a group or an alternative is empty";
        break;
      case '?':
      case '*':
      case '+':
        return repeat();
      case '{':
        return counted_repeat();
      case '[':
        return character_class();
      case '\\':
        return escape(kPlainEscapes);
      default:
        break;
    }
    last_ = Last::kAtom;
    return {};
  }

  std::string begin_alternative() {
    last_ = Last::kNothing;
    return {};
  }

  std::string repeat() {
    if (last_ == Last::kNothing) return "a repeat has nothing before it, or (?...) is used";
    if (last_ == Last::kRepeat) return "a repeat of a repeat, such as the lazy +?, is unsupported";
    last_ = Last::kRepeat;
    return {};
  }

  std::string counted_repeat() {
    const std::size_t end = pattern_.find('}', at_);
    if (end == pattern_.npos) return "a { is never closed";
    for (const char* p = &pattern_[at_]; p < &pattern_[end];) {
      unsigned count = 0;
      const auto [next, error] = std::from_chars(p, &pattern_[end], count);
      if (error == std::errc::result_out_of_range || count > kMaxPatternRepeat) {
        return "a repeat of more than " + std::to_string(kMaxPatternRepeat);
      }
      p = next == p ? p + 1 : next;
    }
    at_ = end + 1;
    return repeat();
  }

  std::string character_class() {
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      if (pattern_[at_++] != '\\') continue;
      if (std::string what = escape("^$|()?*+.[]{}\\fnrtvb"); !what.empty()) return what;
    }
    if (at_ == pattern_.size()) return "a [ is never closed";
    ++at_;
    last_ = Last::kAtom;
    return {};
  }

  std::string escape(std::string_view known) {
    if (at_ == pattern_.size() || !is_one_of(pattern_[at_], known)) {
      return "an unsupported escape: for \\d, \\w, \\s, \\- write [0-9], [A-Za-z0-9_], [ "
             "\\t], "
             "[-]";
    }
    ++at_;
    last_ = Last::kAtom;
    return {};
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  Last last_ = Last::kNothing;
  bool anchored_ = false;
  bool alternatives_ = false;  // at depth 0
};

}  // namespace

std::string pattern_defect(std::string_view pattern) {
  if (std::string what = PatternScan(pattern).defect(); !what.empty()) return what;
  const std::string terminated(pattern);
  const rapidjson::internal::GenericRegex<rapidjson::UTF8<>> regex(terminated.c_str());
  return regex.IsValid() ? std::string() : "it is not a regular expression that is supported here";
}

}  // namespace bentohost
