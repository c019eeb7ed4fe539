// The schemas of one document, and how a value moves through them. Finds the two harmful kinds of
// recursion: one that never ends, and one whose cost doubles with each level of the value. (The
// validator keeps one more validator alive for every branch. A branch that leads back to itself
// twice lets a client create 2^depth of them.) Used by one thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace bentohost {

class SchemaGraph {
 public:
  enum class Edge {
    kRef,      // the same value, by $ref
    kBranch,   // the same value, in a validator of its own: allOf, anyOf, oneOf, not, dependencies
    kMember,   // a member or an element of the value
    kPattern,  // a member, in a validator of its own: patternProperties
  };

  void add_schema(const std::string& pointer);
  void add_edge(const std::string& from, Edge kind, const std::string& to);
  bool has(const std::string& pointer) const { return index_.count(pointer) != 0; }

  // Call when every edge leads to a schema that was added.
  Status check_recursion() const;

 private:
  struct Out {
    Edge kind;
    std::string to;
  };
  struct Node {
    std::string pointer;
    std::vector<Out> out;
  };

  bool reaches(std::size_t from, std::size_t target, bool same_value_only) const;
  std::size_t ways_back(std::size_t node) const;

  std::vector<Node> nodes_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace bentohost
