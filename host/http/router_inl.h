// Router's templates. Not for inclusion by anyone but router.h.
#pragma once

#include <algorithm>

namespace bentohost::http {

template <typename T>
Status Router<T>::add(std::string_view method, std::string_view route, T target) {
  Methods& methods = routes_[std::string(route)];
  for (const auto& [taken, unused] : methods) {
    if (taken != method) continue;
    return Status(BENTO_FAILED_PRECONDITION,
                  std::string(method) + " " + std::string(route) + " is taken already");
  }
  methods.emplace_back(std::string(method), std::move(target));
  return Status();
}

template <typename T>
typename Router<T>::Match Router<T>::find(std::string_view method, std::string_view path) const {
  Match match;
  const auto found = routes_.find(path);
  if (found == routes_.end()) return match;
  const auto& [route, methods] = *found;
  match.route = route;

  const auto target_of = [&methods = methods](std::string_view name) -> const T* {
    const auto it = std::find_if(methods.begin(), methods.end(),
                                 [name](const auto& entry) { return entry.first == name; });
    return it == methods.end() ? nullptr : &it->second;
  };
  match.target = target_of(method);
  if (match.target == nullptr && method == "HEAD") match.target = target_of("GET");
  if (match.target != nullptr) return match;

  for (const auto& [name, unused] : methods) {
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += name;
    if (name == "GET" && target_of("HEAD") == nullptr) match.allow += ", HEAD";
  }
  return match;
}

}  // namespace bentohost::http
