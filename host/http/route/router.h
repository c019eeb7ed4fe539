// Router: maps a method and a path to a T, by hash and trie. Paths are matched decoded, byte for
// byte ("//x" is not "/x"), and have no dot segments: see target.h. Filled before serving, then
// read by any thread.
//
// The most literal match of a path wins: a literal route, then routes with parameters, where at
// each segment literal text goes before "{a}:b" and that before "{a}"; then the mount with the
// longest prefix. As in Starlette, a match of path and method goes before a match of the path
// alone: so a mount gets requests whose method a route below it lacks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "http/route/route_table.h"

namespace bentohost::http {

template <typename T>
class Router {
 public:
  // `route` is empty if nothing is at that path (404). It is set without a target if nothing there
  // allows that method (405, or 204 to OPTIONS, with allow()).
  struct Match : RouteMatch {
    const T* target = nullptr;  // valid until the next add() or mount()
  };

  // INVALID_ARGUMENT for a route that check_route() refuses. FAILED_PRECONDITION if the method has
  // a route of that shape: "/a/{x}" and "/a/{y}" are the same. (find() of the template tells which:
  // as a path, it matches itself.) GET also answers HEAD, unless HEAD has its own.
  Status add(std::string_view method, std::string_view route, T target) {
    Status status = table_.add(method, route, targets_.size());
    if (status.ok()) targets_.push_back(std::move(target));
    return status;
  }
  // Takes all methods at `prefix` and below it, on segment borders: "/app" takes "/app" and
  // "/app/x", not "/apple"; "/" takes all. "/app/" is "/app". Errors as above, by check_prefix().
  Status mount(std::string_view prefix, T target) {
    Status status = table_.mount(prefix, targets_.size());
    if (status.ok()) targets_.push_back(std::move(target));
    return status;
  }

  // Allocates nothing.
  Match find(std::string_view method, std::string_view path) const {
    Match match;
    const std::size_t index = table_.find(method, path, match);
    if (index != RouteTable::kNone) match.target = &targets_[index];
    return match;
  }
  // The Allow header of all routes that match `path`: "GET, HEAD, OPTIONS". Empty if none matches.
  // For "*", the path of OPTIONS *, the methods of all routes.
  std::string allow(std::string_view path) const { return table_.allow(path); }

 private:
  RouteTable table_;
  std::vector<T> targets_;
};

}  // namespace bentohost::http
