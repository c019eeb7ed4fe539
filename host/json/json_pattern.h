// Checks that RapidJSON's small regular expression engine (rapidjson/internal/regex.h) matches a
// pattern as ECMA-262 would, which is what JSON Schema means by `pattern`. The engine silently
// ignores expressions that it cannot read, anchors a whole expression if one alternative has `^`,
// and asserts on some malformed ones. A pure function.
#pragma once

#include <string>
#include <string_view>

namespace bentohost {

inline constexpr unsigned kMaxPatternRepeat = 1000;  // a{1000} is 1000 states

// Empty, or why `pattern` would not be enforced as written.
std::string pattern_defect(std::string_view pattern);

}  // namespace bentohost
