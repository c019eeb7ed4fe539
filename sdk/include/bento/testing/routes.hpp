// Routes: finds the API or mount for a path, by the host's rules: APIs go before mounts, literal
// text before parameters, longer prefixes before shorter ones. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing::internal {

using PathParams = std::vector<std::pair<std::string, std::string>>;

struct Match {
  const bento_api* api = nullptr;
  const bento_mount* mount = nullptr;
  std::string root_path;  // of the mount
  PathParams path_params;
  std::string allow;  // no route has the request's method; these methods have one
};

class Routes {
 public:
  explicit Routes(const bento_service& service) : service_(service) {}

  Match find(std::string_view method, std::string_view path) const {
    Match match;
    std::vector<std::size_t> best;
    for (std::size_t i = 0; i < service_.n_apis; ++i) {
      const bento_api& api = *service_.apis[i];
      PathParams params;
      std::vector<std::size_t> literal;
      if (!fits(route_of(api), path, params, literal)) continue;
      const std::string_view its_method = method_of(api);
      match.allow += (match.allow.empty() ? "" : ", ") + std::string(its_method) +
                     (its_method == "GET" ? ", HEAD" : "");
      const bool is_asked = its_method == method || (its_method == "GET" && method == "HEAD");
      if (!is_asked || (match.api != nullptr && literal <= best)) continue;
      match.api = &api;
      match.path_params = std::move(params);
      best = std::move(literal);
    }
    if (match.api == nullptr) find_mount(path, match);
    return match;
  }

  static std::string_view method_of(const bento_api& api) {
    return api.http_method.len > 0 ? detail::view(api.http_method) : "POST";
  }

 private:
  static std::string route_of(const bento_api& api) {
    if (api.route.len > 0) return std::string(detail::view(api.route));
    return "/" + std::string(detail::view(api.name));
  }
  static std::string_view take_segment(std::string_view& path) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    return segment;
  }

  // `literal`: how much of each segment is literal text; more is a better match.
  static bool fits(std::string_view route, std::string_view path, PathParams& params,
                   std::vector<std::size_t>& literal) {
    while (!route.empty() && !path.empty()) {
      const std::string_view pattern = take_segment(route), segment = take_segment(path);
      const std::size_t open = pattern.find('{'), close = pattern.find('}');
      if (open == pattern.npos || close == pattern.npos) {
        if (segment != pattern) return false;
        literal.push_back(static_cast<std::size_t>(-1));
        continue;
      }
      const std::string_view before = pattern.substr(0, open), after = pattern.substr(close + 1);
      if (segment.size() <= before.size() + after.size() || !segment.starts_with(before) ||
          !segment.ends_with(after)) {
        return false;
      }
      const std::size_t size = segment.size() - before.size() - after.size();
      params.emplace_back(pattern.substr(open + 1, close - open - 1),
                          segment.substr(before.size(), size));
      literal.push_back(before.size() + after.size());
    }
    return route.empty() && path.empty();
  }

  void find_mount(std::string_view path, Match& match) const {
    for (std::size_t i = 0; i < service_.n_mounts; ++i) {
      std::string_view prefix = detail::view(service_.mounts[i]->prefix);
      if (prefix.ends_with('/')) prefix.remove_suffix(1);
      const bool is_below =
          path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
      if (!is_below || (match.mount != nullptr && prefix.size() <= match.root_path.size())) {
        continue;
      }
      match.mount = service_.mounts[i];
      match.root_path = prefix;
    }
  }

  const bento_service& service_;
};

}  // namespace bento::testing::internal
