// Router: from a method and a path to one of T, by hash and trie. Paths are matched decoded, byte
// for byte ("//x" is not "/x"), and have no dot segments: see target.h. Filled before serving, then
// read by any thread.
//
// Of what matches a path, the most literal wins: a literal route, then routes with parameters,
// where at each segment literal text goes before "{a}:b" and that before "{a}"; then the mount with
// the longest prefix. What matches the path but not the method gives way to what matches both, as
// in Starlette: so a mount takes what a route below it has no method for.
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
  // `route` is empty when there is nothing at that path (404), and set without a target when
  // nothing there answers that method (405, or 204 to OPTIONS, with allow()).
  struct Match : RouteMatch {
    const T* target = nullptr;  // valid until the next add() or mount()
  };

  // A route as check_route() wants it, else INVALID_ARGUMENT. FAILED_PRECONDITION when the method
  // has one of that shape: "/a/{x}" and "/a/{y}" are one. (A template, taken as a path, matches
  // itself: find() then says which.) GET answers HEAD too, unless HEAD has its own.
  Status add(std::string_view method, std::string_view route, T target) {
    Status status = table_.add(method, route, targets_.size());
    if (status.ok()) targets_.push_back(std::move(target));
    return status;
  }
  // All methods of `prefix` and what is below it, on segment borders: "/app" takes "/app" and
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
  // The Allow header of all routes that match `path`: "GET, HEAD, OPTIONS". Empty: there is none.
  // For "*", the path of OPTIONS *, the methods of all routes.
  std::string allow(std::string_view path) const { return table_.allow(path); }

 private:
  RouteTable table_;
  std::vector<T> targets_;
};

}  // namespace bentohost::http
