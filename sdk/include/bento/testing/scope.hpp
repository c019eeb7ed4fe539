// Scope: a bento_scope that owns its texts. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/routes.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bento::testing::internal {

class Scope {
 public:
  Scope() = default;
  explicit Scope(const bento_scope& from)
      : scheme(detail::view(from.scheme)),
        method(detail::view(from.method)),
        path(detail::view(from.path)),
        root_path(detail::view(from.root_path)),
        query(detail::view(from.query)),
        client(detail::view(from.client)),
        request_id(detail::view(from.request_id)),
        deadline_ns(from.deadline_ns) {
    for (std::size_t i = 0; i < from.headers.len; ++i) {  // their names in lower case
      std::string name(detail::view(from.headers.ptr[i].name));
      for (char& c : name) c = detail::lower(c);
      headers.add(name, detail::view(from.headers.ptr[i].value));
    }
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Valid until the next call or change.
  const bento_scope* abi() {
    header_pairs_ = headers.abi();
    param_pairs_.clear();
    for (const auto& [name, value] : path_params) {
      param_pairs_.push_back({detail::str(name), detail::str(value)});
    }
    abi_ = {};
    abi_.size = sizeof abi_;
    abi_.kind = 1;
    abi_.scheme = detail::str(scheme);
    abi_.method = detail::str(method);
    abi_.path = detail::str(path);
    abi_.root_path = detail::str(root_path);
    abi_.query = detail::str(query);
    abi_.http_version = detail::str("HTTP/1.1");
    abi_.client = detail::str(client);
    abi_.server = detail::str("127.0.0.1:3000");
    abi_.request_id = detail::str(request_id);
    abi_.headers = {header_pairs_.data(), header_pairs_.size()};
    abi_.deadline_ns = deadline_ns;
    abi_.path_params = {param_pairs_.data(), param_pairs_.size()};
    return &abi_;
  }

  std::string scheme = "http", method, path, root_path, query, client, request_id;
  Headers headers;
  std::uint64_t deadline_ns = 0;
  PathParams path_params;

 private:
  bento_scope abi_{};
  std::vector<bento_pair> header_pairs_, param_pairs_;
};

}  // namespace bento::testing::internal
