// Hints for names that somebody mistyped. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bentohost {

// "; did you mean model?", if one of `known` is near enough to `name`; else "".
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace bentohost
