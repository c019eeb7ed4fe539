#include "service/route_labels.h"

#include <algorithm>

namespace bentohost::service {
namespace {

bool is_template(std::string_view route) {
  return route.starts_with('/') && route.size() <= RouteLabels::kMaxLength &&
         std::all_of(route.begin(), route.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

const RouteLabel* RouteLabels::get(const std::string& route) {
  const MutexLock lock(mutex_);
  return get_locked(route);
}

const RouteLabel* RouteLabels::get_locked(const std::string& route) {
  const auto [at, is_new] = labels_.try_emplace(route);
  if (is_new) at->second = {metrics_.route(route), route};
  return &at->second;
}

const RouteLabel* RouteLabels::get_below(const RouteLabel& mount, std::string_view route) {
  if (!is_template(route)) return nullptr;
  const MutexLock lock(mutex_);
  ByRoute& known = below_[&mount];
  if (const auto found = known.find(route); found != known.end()) return found->second;
  if (known.size() >= kMaxRoutesOfAMount) return &mount;
  const std::string_view root = std::string_view(mount.route).substr(0, mount.route.size() - 2);
  const RouteLabel* label = get_locked(std::string(root).append(route));  // "/app" + "/flowers"
  known.emplace(route, label);
  return label;
}

}  // namespace bentohost::service
