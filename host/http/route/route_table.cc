#include "http/route/route_table.h"

#include <algorithm>
#include <utility>

namespace bentohost::http {

struct RouteTable::Entry {
  std::string method, route;
  std::vector<std::string> names;  // of its parameters
  std::size_t target;
};

struct RouteTable::Node {
  // A segment with a parameter in it.
  struct Pattern {
    std::string before, after;
    std::unique_ptr<Node> node;

    std::size_t literal_size() const { return before.size() + after.size(); }
    bool matches(std::string_view segment) const {
      return segment.size() > literal_size() && segment.starts_with(before) &&
             segment.ends_with(after);
    }
  };

  Map<std::unique_ptr<Node>> literals;
  std::vector<Pattern> patterns;  // the most literal first
  Entries entries;                // of the routes that end here
  std::size_t mount = kNone;      // the target of the mount whose prefix ends here
  std::string mount_route;

  bool has_children() const { return !literals.empty() || !patterns.empty(); }
  const Node* literal(std::string_view segment) const {
    if (literals.empty()) return nullptr;  // hashing costs more than this look-up's other half
    const auto found = literals.find(segment);
    return found == literals.end() ? nullptr : found->second.get();
  }
  Node& make_child(const Segment& segment);
  Node& make_path(std::string_view route);
};

RouteTable::Node& RouteTable::Node::make_child(const Segment& segment) {
  if (segment.name.empty()) {
    std::unique_ptr<Node>& child = literals[std::string(segment.before)];
    if (child == nullptr) child = std::make_unique<Node>();
    return *child;
  }
  for (const Pattern& pattern : patterns) {
    if (pattern.before == segment.before && pattern.after == segment.after) return *pattern.node;
  }
  Pattern added{std::string(segment.before), std::string(segment.after), std::make_unique<Node>()};
  Node& child = *added.node;
  const auto place = std::find_if(
      patterns.begin(), patterns.end(),
      [&added](const Pattern& pattern) { return pattern.literal_size() < added.literal_size(); });
  patterns.insert(place, std::move(added));
  return child;
}

RouteTable::Node& RouteTable::Node::make_path(std::string_view route) {
  Node* node = this;
  while (!route.empty()) node = &node->make_child(parse_segment(take_segment(route)));
  return *node;
}

RouteTable::RouteTable() : root_(std::make_unique<Node>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

std::string_view Parameters::find(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (names_[i] == name) return (*this)[i].value;
  }
  return {};
}

Status RouteTable::add(std::string_view method, std::string_view route, std::size_t target) {
  if (Status status = check_route(route); !status.ok()) return status;
  Entry added{std::string(method), std::string(route), {}, target};
  for (std::string_view rest = route; !rest.empty();) {
    const Segment segment = parse_segment(take_segment(rest));
    if (!segment.name.empty()) added.names.emplace_back(segment.name);
  }
  Entries& entries = added.names.empty() ? literals_[added.route] : root_->make_path(route).entries;
  for (const Entry& taken : entries) {
    if (taken.method != method) continue;
    const std::string as = taken.route == route ? "" : ", as " + taken.route;
    return Status(BENTO_FAILED_PRECONDITION,
                  added.method + " " + added.route + " is taken already" + as);
  }
  if (std::find(methods_.begin(), methods_.end(), method) == methods_.end()) {
    methods_.push_back(added.method);
  }
  entries.push_back(std::move(added));
  return Status();
}

Status RouteTable::mount(std::string_view prefix, std::size_t target) {
  if (Status status = check_prefix(prefix); !status.ok()) return status;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  Node& node = root_->make_path(prefix);
  std::string route = std::string(prefix) + "/*";
  if (node.mount != kNone) {
    return Status(BENTO_FAILED_PRECONDITION, "the mount " + route + " is taken already");
  }
  node.mount = target;
  node.mount_route = std::move(route);
  return Status();
}

const RouteTable::Entry* RouteTable::entry_of(const Entries& entries, std::string_view method) {
  const auto entry_named = [&entries](std::string_view name) -> const Entry* {
    for (const Entry& entry : entries) {
      if (entry.method == name) return &entry;
    }
    return nullptr;
  };
  const Entry* found = entry_named(method);
  return found == nullptr && method == "HEAD" ? entry_named("GET") : found;
}

// Calls `visit` with the entries of each node where `rest` ends, the most literal first, until it
// returns true. `parameters` then has the values on the way there.
template <typename Visit>
bool RouteTable::walk(const Node& node, std::string_view rest, Parameters& parameters,
                      Visit& visit) {
  if (rest.empty()) return !node.entries.empty() && visit(node.entries);
  const std::string_view segment = take_segment(rest);
  const Node* const literal = node.literal(segment);
  if (literal != nullptr && walk(*literal, rest, parameters, visit)) return true;
  for (const Node::Pattern& pattern : node.patterns) {
    if (!pattern.matches(segment)) continue;
    const std::size_t begin = static_cast<std::size_t>(segment.data() - parameters.path_);
    parameters.pieces_[parameters.count_++] = {
        static_cast<std::uint32_t>(begin + pattern.before.size()),
        static_cast<std::uint32_t>(segment.size() - pattern.literal_size())};
    if (walk(*pattern.node, rest, parameters, visit)) return true;
    --parameters.count_;
  }
  return false;
}

std::size_t RouteTable::find(std::string_view method, std::string_view path,
                             RouteMatch& match) const {
  match.path = path;
  const Entry* found = nullptr;
  const auto visit = [&](const Entries& entries) {
    found = entry_of(entries, method);
    if (found != nullptr || match.route.empty()) {
      match.route = found != nullptr ? found->route : entries.front().route;
    }
    return found != nullptr;
  };
  const auto literal = literals_.find(path);
  if (literal != literals_.end() && visit(literal->second)) return found->target;
  if (!root_->has_children() && root_->mount == kNone) return kNone;
  if (!path.starts_with('/')) return kNone;
  match.parameters.path_ = path.data();
  if (walk(*root_, path, match.parameters, visit)) {
    match.parameters.names_ = found->names.data();
    return found->target;
  }
  return find_mount(path, match);
}

std::size_t RouteTable::find_mount(std::string_view path, RouteMatch& match) const {
  const Node* best = root_->mount != kNone ? root_.get() : nullptr;
  std::string_view below = path;
  std::string_view rest = path;
  for (const Node* node = root_.get(); node != nullptr && !rest.empty();) {
    node = node->literal(take_segment(rest));
    if (node == nullptr || node->mount == kNone) continue;
    best = node;
    below = rest;
  }
  if (best == nullptr) return kNone;
  match.route = best->mount_route;
  match.root_path = path.substr(0, path.size() - below.size());
  match.path = below.empty() ? "/" : below;
  return best->mount;
}

std::string RouteTable::allow(std::string_view path) const {
  std::vector<std::string_view> methods;
  const auto note = [&methods](std::string_view method) {
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
      methods.push_back(method);
    }
  };
  const auto note_route = [&note](std::string_view method) {
    note(method);
    if (method == "GET") note("HEAD");
  };
  if (path == "*") {
    std::for_each(methods_.begin(), methods_.end(), note_route);
  } else if (path.starts_with('/')) {
    const auto visit = [&note_route](const Entries& entries) {
      for (const Entry& entry : entries) note_route(entry.method);
      return false;
    };
    const auto literal = literals_.find(path);
    if (literal != literals_.end()) visit(literal->second);
    Parameters unused;
    unused.path_ = path.data();
    walk(*root_, path, unused, visit);
  }
  if (methods.empty()) return {};
  note("OPTIONS");
  std::string allow;
  for (const std::string_view method : methods) {
    allow += allow.empty() ? "" : ", ";
    allow += method;
  }
  return allow;
}

}  // namespace bentohost::http
