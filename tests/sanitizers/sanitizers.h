// Which sanitizers this build of the tests has: the macros for that differ by compiler.
#pragma once

#include <string_view>

namespace bentohost {

inline constexpr std::string_view kSanitizers = BENTO_SANITIZE;
inline constexpr bool kAddressSanitizer = kSanitizers.find("address") != std::string_view::npos;
inline constexpr bool kThreadSanitizer = kSanitizers.find("thread") != std::string_view::npos;

}  // namespace bentohost
