// Code names: which function of which library an address belongs to, for crash reports. Made for
// signal handlers: once prepared, describing allocates and locks nothing. Symbols are read from the
// library's file. Names are demangled in a copy of this process, since demangling allocates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bentohost {

// Call before threads start, and before a signal handler calls describe_code().
void prepare_code_names();

// [any] Reports call the library that is mapped from `image` by `path`, the name that people know.
// Only the last 64 libraries are remembered.
void remember_library(std::string_view image, std::string_view path);

// The views are valid until describe_code() is called again.
struct CodeName {
  std::string_view library;  // empty: unknown
  std::uintptr_t in_library = 0;
  std::string_view function;  // empty: unknown
  std::uintptr_t in_function = 0;
};

// [signal handler, one thread] Names `count` return addresses, at most kMostFrames.
inline constexpr int kMostFrames = 32;
const CodeName* describe_code(void* const* addresses, int count);

// `text` with each mangled name followed by its demangled form in brackets: "undefined symbol:
// _Z4scaled (scale(double))".
std::string with_demangled_names(std::string_view text);

}  // namespace bentohost
