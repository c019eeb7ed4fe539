// What the descriptions of a plugin's structs have in common. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace bentohost::plugin {

inline Status refuse(std::string message) {
  return Status(BENTO_FAILED_PRECONDITION, std::move(message));
}

// Whether it is there, and has all the fields that we know.
template <typename T>
Status check_size(const T* thing, std::string_view what) {
  if (thing == nullptr) return refuse("a null " + std::string(what));
  if (thing->size >= sizeof(T)) return {};
  return refuse("a " + std::string(what) + " of size " + std::to_string(thing->size) +
                ", expected " + std::to_string(sizeof(T)) +
                " at least: built with another header?");
}

// BentoML's reserved words: for names of APIs, and "/" + word for routes and mounts.
bool is_reserved(std::string_view word);

}  // namespace bentohost::plugin
