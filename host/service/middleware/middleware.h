// A service's middleware, as the chain is made of it: what to call, and what to call it in a log.
#pragma once

#include <bento/abi.h>

#include <span>
#include <string>
#include <vector>

namespace bentohost::service {

struct Middleware {
  void* self;  // what create() of its service left
  const bento_middleware* abi;
  std::string what;    // "middleware cors of service iris"
  std::string plugin;  // its file
};

// What is crossed at once: one that waits, or a row of those in hooks. The first is outermost.
struct MiddlewareStep {
  bool is_around = false;
  std::vector<Middleware> row;  // one, if it is around
};
using MiddlewareSteps = std::vector<MiddlewareStep>;

}  // namespace bentohost::service
