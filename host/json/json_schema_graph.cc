#include "json/json_schema_graph.h"

#include <algorithm>
#include <string_view>

namespace bentohost {
namespace {

bool same_value(SchemaGraph::Edge kind) {
  return kind == SchemaGraph::Edge::kRef || kind == SchemaGraph::Edge::kBranch;
}

bool own_validator(SchemaGraph::Edge kind) {
  return kind == SchemaGraph::Edge::kBranch || kind == SchemaGraph::Edge::kPattern;
}

Status refuse(const std::string& pointer, std::string_view why) {
  const std::string where = pointer.empty() ? "the root" : pointer;
  return {BENTO_INVALID_ARGUMENT, "schema: " + where + std::string(why)};
}

}  // namespace

void SchemaGraph::add_schema(const std::string& pointer) {
  if (index_.emplace(pointer, nodes_.size()).second) nodes_.push_back({pointer, {}});
}

void SchemaGraph::add_edge(const std::string& from, Edge kind, const std::string& to) {
  nodes_[index_.at(from)].out.push_back({kind, to});
}

Status SchemaGraph::check_recursion() const {
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    const auto& out = nodes_[node].out;
    const auto leads_back = [&](bool same_value_only) {
      return std::any_of(out.begin(), out.end(), [&](const Out& edge) {
        return (!same_value_only || same_value(edge.kind)) &&
               reaches(index_.at(edge.to), node, same_value_only);
      });
    };
    // Every cycle has a $ref in it, and every doubling has a branch.
    const auto has = [&](auto kind_is) {
      return std::any_of(out.begin(), out.end(), [&](const Out& e) { return kind_is(e.kind); });
    };
    if (has([](Edge kind) { return kind == Edge::kRef; }) && leads_back(true)) {
      return refuse(nodes_[node].pointer, " refers to itself without going into the value");
    }
    if (has(own_validator) && ways_back(node) > 1) {
      return refuse(nodes_[node].pointer,
                    " leads back to itself by more than one branch: checking a value would take "
                    "time exponential in its depth");
    }
  }
  return {};
}

// Members that need no validator of their own count as one way back together, since each member is
// checked against only one of them.
std::size_t SchemaGraph::ways_back(std::size_t node) const {
  std::size_t branches = 0;
  bool member = false;
  for (const Out& edge : nodes_[node].out) {
    if (!reaches(index_.at(edge.to), node, false)) continue;
    if (own_validator(edge.kind)) {
      ++branches;
    } else {
      member = true;
    }
  }
  return branches + (member ? 1 : 0);
}

bool SchemaGraph::reaches(std::size_t from, std::size_t target, bool same_value_only) const {
  std::vector<bool> seen(nodes_.size());
  std::vector<std::size_t> todo{from};
  while (!todo.empty()) {
    const std::size_t node = todo.back();
    todo.pop_back();
    if (node == target) return true;
    if (seen[node]) continue;
    seen[node] = true;
    for (const Out& edge : nodes_[node].out) {
      if (!same_value_only || same_value(edge.kind)) todo.push_back(index_.at(edge.to));
    }
  }
  return false;
}

}  // namespace bentohost
