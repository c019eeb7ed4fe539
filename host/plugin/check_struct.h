// Checks that are common to all structs of a plugin. Pure; any thread.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/status.h"

namespace bentohost::plugin {

inline Status refuse(std::string message) {
  return Status(BENTO_FAILED_PRECONDITION, std::move(message));
}

// The size that a struct of the ABI had in x.0, which every plugin's has at least: plugins of an
// older minor than this host's do not have what was appended later. A struct that has grown since
// has its first new field here; tests/abi/layout/1.0.golden has the sizes.
template <typename T>
inline constexpr std::size_t kFirstSize = sizeof(T);
template <>
inline constexpr std::size_t kFirstSize<bento_api> = offsetof(bento_api, invoke_async);
template <>
inline constexpr std::size_t kFirstSize<bento_channel> = offsetof(bento_channel, when);
template <>
inline constexpr std::size_t kFirstSize<bento_host> = offsetof(bento_host, instance);
template <>
inline constexpr std::size_t kFirstSize<bento_io> = offsetof(bento_io, name);
template <>
inline constexpr std::size_t kFirstSize<bento_method> = offsetof(bento_method, ins);
template <>
inline constexpr std::size_t kFirstSize<bento_mount> = offsetof(bento_mount, call_async);
template <>
inline constexpr std::size_t kFirstSize<bento_plugin_entry> = offsetof(bento_plugin_entry,
                                                                       configure);
template <>
inline constexpr std::size_t kFirstSize<bento_service> = offsetof(bento_service, files);
template <>
inline constexpr std::size_t kFirstSize<bento_sink> = offsetof(bento_sink, fail);

// Whether `thing` is not null and has all the fields of x.0. What is newer: newer_field().
template <typename T>
Status check_size(const T* thing, std::string_view what) {
  if (thing == nullptr) return refuse("a null " + std::string(what));
  if (thing->size >= kFirstSize<T>) return {};
  return refuse("a " + std::string(what) + " of size " + std::to_string(thing->size) +
                ", expected " + std::to_string(kFirstSize<T>) +
                " at least: built with another header?");
}

// A field that is newer than x.0, `newer_field<&bento_service::files>(*service)`; null, 0 or empty
// where the plugin was built for a minor that does not have it.
template <auto Field, typename T>
auto newer_field(const T& thing) {
  using Value = std::remove_cvref_t<decltype(thing.*Field)>;
  const auto* const at = &(thing.*Field);
  const auto end = reinterpret_cast<const char*>(at + 1) - reinterpret_cast<const char*>(&thing);
  return thing.size >= static_cast<std::size_t>(end) ? *at : Value{};
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
