// Code names: which function of which library an address belongs to, for the report of a crash. For
// a signal handler: nothing in here allocates or locks, once it is prepared; symbols are read from
// the library's file. Names are demangled in a copy of this process, for that allocates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bentohost {

// Before threads start, and before a signal handler asks.
void prepare_code_names();

// [any] Of a library that is mapped from `image`: people know it by `path`. The last 64 are
// remembered.
void remember_library(std::string_view image, std::string_view path);

// Views of memory that stays, until describe_code() is called again.
struct CodeName {
  std::string_view library;  // empty: not known
  std::uintptr_t in_library = 0;
  std::string_view function;  // empty: not known
  std::uintptr_t in_function = 0;
};

// [signal handler, one thread] The names of `count` return addresses, at most kMostFrames.
inline constexpr int kMostFrames = 32;
const CodeName* describe_code(void* const* addresses, int count);

// `text` with each mangled name that stands in it followed by what it means, in brackets:
// "undefined symbol: _Z4scaled (scale(double))".
std::string with_demangled_names(std::string_view text);

}  // namespace bentohost
