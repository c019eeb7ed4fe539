// Checks that are common to all structs of a plugin. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace bentohost::plugin {

inline Status refuse(std::string message) {
  return Status(BENTO_FAILED_PRECONDITION, std::move(message));
}

// Whether `thing` is not null and has all the fields that this host knows.
template <typename T>
Status check_size(const T* thing, std::string_view what) {
  if (thing == nullptr) return refuse("a null " + std::string(what));
  if (thing->size >= sizeof(T)) return {};
  return refuse("a " + std::string(what) + " of size " + std::to_string(thing->size) +
                ", expected " + std::to_string(sizeof(T)) +
                " at least: built with another header?");
}

// Whether all flags are among `known`: a flag of a newer header may mean anything.
inline Status check_flags(std::uint32_t flags, std::uint32_t known, std::string_view what) {
  if ((flags & ~known) == 0) return {};
  return refuse(std::string(what) + " has flags " + std::to_string(flags & ~known) +
                " that this bentohost does not know: built for a newer one?");
}

// BentoML's reserved words: for names of APIs, and "/" + word for routes and mounts.
bool is_reserved(std::string_view word);

}  // namespace bentohost::plugin
