// DecodedCall: an asynchronous call of an API whose inputs are decoded first: on the loop, or on a
// thread where they are large. Threads, lifetimes and ends are those of AsyncCall.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "service/async_call.h"
#include "service/endpoint.h"
#include "service/work.h"

namespace bentohost::service {

class Endpoint::DecodedCall : public AsyncCall {
 protected:
  // `endpoint` must outlive the request.
  DecodedCall(const Endpoint& endpoint, const RequestPtr& its_request, RequestDeps& its_deps)
      : AsyncCall(its_request, its_deps, endpoint.who_, endpoint.stalls_), endpoint_(endpoint) {}

  // AsyncCall
  bool prepare() final {
    const bool is_large = request()->request().body.size() > kMaxOnLoop;
    if (!is_large || request()->is_on_thread()) {
      const Status status = decode();
      if (!status.ok()) fail(status);
      return status.ok();
    }
    const auto self = std::static_pointer_cast<DecodedCall>(shared_from_this());
    run_for(
        std::shared_ptr<TrackedExchange>(request(), &request()->tracked()),
        request()->request().body.size(), deps(),
        [self] {
          const Status status = self->decode();
          status.ok() ? self->ready() : self->fail(status);
        },
        [self](const Status& status) { self->fail(status); });
    return false;
  }

  const Endpoint& endpoint_;
  std::vector<wire::Value> values_;  // the inputs; of call(), which may let go of them

 private:
  Status decode() {
    auto values = endpoint_.decode_inputs(request()->request());
    if (!values.ok()) return std::move(values).take_status();
    values_ = *std::move(values);
    return {};
  }
};

}  // namespace bentohost::service
