// APIs: what Service::api() can be told of one, and how it becomes the ABI's. Part of
// <bento/bento.hpp>.
#pragma once

#include <bento/io.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace bento {

struct ApiOptions {
  // Empty: "/" + name. May have parameters: "/models/{model}". The first slash may be left out.
  std::string route = {};
  std::string method = {};  // "GET", "PUT", "PATCH" or "DELETE"; empty: "POST"
  std::string doc = {};
  std::uint64_t max_body = 0;  // bytes; 0: the host's --max-body
  // The handler takes microseconds and never waits, for runners neither: it runs where its
  // connection is served, at a third of the cost. While it runs, other connections wait.
  bool quick = false;
  std::optional<Io> input = {}, output = {};  // say more than the C++ types
};

}  // namespace bento
