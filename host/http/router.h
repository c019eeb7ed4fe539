// Router: from a method and a path to one of T, by hash. Literal routes only, matched on the
// decoded path, byte for byte ("//x" is not "/x"). Filled before serving, then read by any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"

namespace bentohost::http {

// INVALID_ARGUMENT unless `route` starts with one '/', and has no '?', '#', white space, control
// byte,
// "{" or "}" (parameters are reserved), nor a "." or ".." segment.
Status check_route(std::string_view route);

template <typename T>
class Router {
 public:
  struct Match {
    const T* target = nullptr;  // null: nothing answers this method here
    std::string_view route;     // the template, for labels; empty: no such path (404)
    std::string allow;          // "GET, HEAD": for 405 and OPTIONS; set when target is null
  };

  // FAILED_PRECONDITION when the pair is taken. GET answers HEAD too, unless HEAD has its own.
  Status add(std::string_view method, std::string_view route, T target);
  Match find(std::string_view method, std::string_view path) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  using Methods = std::vector<std::pair<std::string, T>>;
  std::unordered_map<std::string, Methods, Hash, std::equal_to<>> routes_;
};

}  // namespace bentohost::http

#include "http/router_inl.h"
