// Client: how the host process calls the runners of one service: it checks the inputs against the
// method, splits what is longer than a batch and puts it together again, and waits for those who
// want to wait.
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

// A copy of what a runner returned. INTERNAL, for that is the runner's mistake, unless there is no
// memory for it: then RESOURCE_EXHAUSTED.
Result<wire::Value> copy_result(const bento_value& value);

class Client {
 public:
  // The pools must outlive the client.
  explicit Client(std::vector<Pool*> pools) : pools_(std::move(pools)) {}

  // NOT_FOUND names what there is no such thing of.
  Result<Target> find(std::string_view runner, std::string_view method) const;

  // For how long a call is wanted.
  struct CallLimits {
    TimePoint deadline = kNoDeadline;
    std::shared_ptr<const std::atomic<bool>> cancelled;  // null: until then
  };

  // [any] `done` is called exactly once, unless an error is returned: INVALID_ARGUMENT for inputs
  // that the method does not take, else what Pool::submit says. Returns the calls in flight: set
  // `abandoned` in them when nobody waits any more.
  static Result<std::vector<CallPtr>> submit(const Target& target, std::vector<wire::Value> inputs,
                                             const CallLimits& wanted, Done done);

  // [any] The same for one who will wait. Inputs are copied.
  static Result<std::unique_ptr<bento_ticket>> submit(const Target& target,
                                                      std::span<const bento_value* const> inputs,
                                                      const CallLimits& wanted);

  // OK when every runner has a warm worker; else UNAVAILABLE with the reasons of all that have
  // none.
  Status readiness() const;

 private:
  std::vector<Pool*> pools_;
};

}  // namespace bentohost::runner
