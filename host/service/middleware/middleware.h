// The middleware that a service's chain is made of: the functions to call, and names for the log.
#pragma once

#include <bento/abi.h>

#include <span>
#include <string>
#include <vector>

namespace bentohost::service {

struct Middleware {
  void* self;  // from its service's create()
  const bento_middleware* abi;
  std::string what;    // "middleware cors of service iris"
  std::string plugin;  // its file
};

// One layer of the chain: a middleware that may wait, or a row in hooks, the outermost first.
struct MiddlewareStep {
  bool is_around = false;
  std::vector<Middleware> row;  // a single one if `is_around`
};
using MiddlewareSteps = std::vector<MiddlewareStep>;

}  // namespace bentohost::service
