// Scope: a request as the bento_scope that plugins read. It views the request, and owns the memory
// of the header pairs.
#pragma once

#include <bento/abi.h>

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/message.h"

namespace bentohost::service {

class Scope {
 public:
  bool is_filled() const { return abi_.size != 0; }
  // The arguments must outlive the scope, or the next fill().
  void fill(const http::Request& request, std::string_view root_path, std::string_view request_id,
            TimePoint deadline, bento_pairs path_params = {});
  const bento_scope* abi() const { return &abi_; }

 private:
  std::vector<bento_pair> headers_;
  bento_scope abi_{};
};

}  // namespace bentohost::service
