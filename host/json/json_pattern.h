// What RapidJSON's own small regular expressions (rapidjson/internal/regex.h) can match as ECMA-262
// would, which is what JSON Schema means by `pattern`. It silently ignores an expression that it
// cannot read, anchors a whole expression where `^` stands in one alternative, and asserts on some
// malformed ones. A pure function.
#pragma once

#include <string>
#include <string_view>

namespace bentohost {

inline constexpr unsigned kMaxPatternRepeat = 1000;  // a{1000} is 1000 states

// Empty, or why `pattern` would not be enforced as written.
std::string pattern_defect(std::string_view pattern);

}  // namespace bentohost
