// RouteTable: Router's implementation, independent of its type of target: maps a method and a path
// to the number that was added with the route. Literal routes are in a hash table; routes with
// parameters and mounts in a trie over segments, of which a look-up visits no node twice. Filled
// before serving, then read by any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "http/route/route_template.h"

namespace bentohost::http {

struct Parameter {
  std::string_view name;   // the router's
  std::string_view value;  // a part of the path, never empty
};

// The parameters of a match, in the order of its template. A value that allocates no memory.
class Parameters {
 public:
  std::size_t size() const { return count_; }
  Parameter operator[](std::size_t i) const {
    return {names_[i], std::string_view(path_ + pieces_[i].begin, pieces_[i].size)};
  }
  // The value of `name`; empty if there is no such parameter.
  std::string_view find(std::string_view name) const;

 private:
  friend class RouteTable;
  struct Piece {
    std::uint32_t begin, size;  // in the path
  };
  const std::string* names_ = nullptr;
  const char* path_ = nullptr;
  std::size_t count_ = 0;
  // Not set from count_ on: clearing all would cost as much as finding a literal route.
  std::array<Piece, kMaxParameters> pieces_;
};

// The result of a look-up, without its target. Views into the path that was looked up, and into the
// table.
struct RouteMatch {
  std::string_view route;      // the template, or a mount's "/prefix/*": for labels
  std::string_view root_path;  // a mount's prefix, "" for "/", as in ASGI
  std::string_view path;       // the path; for a mount the part below root_path, at least "/"
  Parameters parameters;
};

class RouteTable {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  RouteTable();
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  // As in Router; find() returns `target`.
  Status add(std::string_view method, std::string_view route, std::size_t target);
  Status mount(std::string_view prefix, std::size_t target);
  std::size_t find(std::string_view method, std::string_view path, RouteMatch& match) const;
  std::string allow(std::string_view path) const;

 private:
  struct Entry;  // one method of one route
  using Entries = std::vector<Entry>;
  struct Node;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  template <typename Value>
  using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  static const Entry* entry_of(const Entries& entries, std::string_view method);
  template <typename Visit>
  static bool walk(const Node& node, std::string_view rest, Parameters& parameters, Visit& visit);
  std::size_t find_mount(std::string_view path, RouteMatch& match) const;

  Map<Entries> literals_;
  std::unique_ptr<Node> root_;
  std::vector<std::string> methods_;  // of all routes, in the order of their first use
};

}  // namespace bentohost::http
