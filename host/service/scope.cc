#include "service/scope.h"

#include "base/status.h"

namespace bentohost::service {

void Scope::fill(const http::Request& request, std::string_view root_path,
                 std::string_view request_id, TimePoint deadline, bento_pairs path_params) {
  headers_.clear();
  for (const http::Header& header : request.headers) {
    headers_.push_back({to_bento(header.name), to_bento(header.value)});
  }
  abi_.size = sizeof abi_;
  abi_.kind = 1;
  abi_.scheme = to_bento(request.scheme);
  abi_.method = to_bento(request.method);
  abi_.path = to_bento(request.path);
  abi_.root_path = to_bento(root_path);
  abi_.query = to_bento(request.query);
  abi_.http_version = to_bento(request.version);
  abi_.client = to_bento(request.client);
  abi_.server = to_bento(request.server);
  abi_.request_id = to_bento(request_id);
  abi_.headers = {headers_.data(), headers_.size()};
  abi_.deadline_ns = static_cast<std::uint64_t>(deadline.time_since_epoch().count());
  abi_.path_params = path_params;
}

}  // namespace bentohost::service
