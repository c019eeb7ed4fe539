// What several of these plugins ask of their options.
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

// A file that may be none: "". A relative one is meant from the plugin's folder.
inline std::string file(const bento::Options& options, const char* name) {
  return options.text(name).empty() ? "" : options.path(name);
}
