// Client: how the host process calls the runners of one service. It checks the inputs against the
// method, splits inputs that are longer than a batch and joins their results, and waits on behalf
// of callers that want to block.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "plugin/context.h"
#include "runner/pool.h"

namespace bentohost::runner {

// A runner method, resolved once.
struct Target {
  Pool* pool = nullptr;
  std::uint32_t method = 0;

  const plugin::MethodSpec& spec() const { return pool->spec().methods[method]; }
};

class Client {
 public:
  // The pools must outlive the client.
  explicit Client(std::vector<Pool*> pools) : pools_(std::move(pools)) {}

  // NOT_FOUND names the runner or method that does not exist.
  Result<Target> find(std::string_view runner, std::string_view method) const;

  // Who calls: until when the result is wanted, and what the runner is told of the request.
  struct CallLimits {
    TimePoint deadline = kNoDeadline;
    std::shared_ptr<const std::atomic<bool>> cancelled;  // null: only the deadline counts
    std::string_view request_id = {}, traceparent = {};  // copied
  };

  // [any] `done` is called exactly once, unless an error is returned: INVALID_ARGUMENT for inputs
  // that the method does not take, or an error of Pool::submit. Returns the calls in flight: set
  // `abandoned` in them when nobody waits any more.
  // Of a method with inputs by name, a value that has a name goes to the input of that name, and
  // one that has none to the input at its own place; one of kind 0 stands for an optional input
  // that is left out.
  static Result<std::vector<CallPtr>> submit(const Target& target, std::vector<wire::Value> inputs,
                                             const CallLimits& wanted, Done done);

  // [any; with a scope, its loop] The same for a plugin, which waits for the ticket: on a thread,
  // or with a scope on its loop. Inputs are copied; results
  // are shared with the other callers of the batch.
  static Result<plugin::TicketPtr> submit(const Target& target,
                                          std::span<const bento_value* const> inputs,
                                          const CallLimits& wanted,
                                          std::shared_ptr<plugin::AsyncScope> scope = nullptr);

  // OK when every runner has a warm worker; otherwise UNAVAILABLE with the reasons of all runners
  // that have none.
  Status readiness() const;

 private:
  std::vector<Pool*> pools_;
};

}  // namespace bentohost::runner
