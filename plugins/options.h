// Readers of options that several of these plugins share.
#pragma once

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <cstdint>
#include <string>

// A number that is not negative.
inline std::uint64_t natural(const bento::Options& options, const char* name) {
  const std::int64_t value = options.integer(name);
  if (value < 0) throw bento::Error(BENTO_INVALID_ARGUMENT, std::string(name) + " is negative");
  return static_cast<std::uint64_t>(value);
}

// The path of an optional file, "" if it is not given. Relative paths are from the plugin's folder.
inline std::string file(const bento::Options& options, const char* name) {
  return options.text(name).empty() ? "" : options.path(name);
}
