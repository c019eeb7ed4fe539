// The runners of all services at one moment: which one a call means, and what there is. Pure; any
// thread.
#pragma once

#include <string>

#include "base/status.h"
#include "runner/client.h"
#include "service/routing/routing_snapshot.h"
#include "wire/frame.h"

namespace bentohost::runner_rpc {

// A runner method, and the generation of the service that has it.
struct Resolved {
  service::ServiceRoutesPtr routes;
  runner::Target target;
};

// NOT_FOUND names the service, runner or method that does not exist. INVALID_ARGUMENT: the call
// names no service, and several have a runner of this name.
Result<Resolved> resolve(const service::RoutingSnapshot& snapshot, const wire::CallTarget& call);

// JSON, as README.md describes it.
std::string listing(const service::RoutingSnapshot& snapshot);

}  // namespace bentohost::runner_rpc
