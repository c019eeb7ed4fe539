// Calls: the runner calls of handlers: run at once, by an engine, or when a test lets them go. Part
// of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/testing/engine.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bento::testing::internal {

class Calls {
 public:
  explicit Calls(Environment& environment) : environment_(environment) {}
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Throws Error, 500, for inputs that the method does not take.
  std::shared_ptr<Ticket> submit(RequestState& state, const Method& method,
                                 const bento_value* const* in, std::size_t n) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (is_of_engine(method)) return engine_of(method).submit(state, in, n);
#endif
    auto ticket = std::make_shared<Ticket>(state, false);
    if (const auto held = held_.find(method.name); held != held_.end()) {
      held->second.push_back(std::make_unique<Held>(method, *state.scope,
                                                    Runners::take_inputs(method, in, n), ticket));
      return ticket;
    }
    Values values;
    std::optional<Error> failure;
    try {
      values = run_method(state, method, in, n);
    } catch (const Error& error) {
      failure = error;
    }
    const auto latency = environment_.latencies.find(method.name);
    const bool is_slow = latency != environment_.latencies.end();
    if (is_slow || state.is_on_loop) {  // there, nothing is ready before the next turn
      ticket->end_after(is_slow ? latency->second : Loop::Time(), std::move(values), failure);
    } else {
      ticket->end(std::move(values), failure);
    }
    return ticket;
  }

  // From now on calls of that method wait.
  void hold(const std::string& method) { held_.try_emplace(method); }
  // Those that wait are run: of a method with lists together, of others one by one.
  void let_go(const std::string& method) {
    const auto found = held_.find(method);
    if (found == held_.end()) return;
    const std::vector<std::unique_ptr<Held>> calls = std::move(found->second);
    held_.erase(found);
    for (std::size_t i = 0; i < calls.size();) {
      const bento_method& abi = *calls[i]->method.abi;
      const std::size_t most = abi.max_batch != 0 ? abi.max_batch : kMaxBatch;
      const std::size_t n = Runners::is_list(abi) ? std::min(most, calls.size() - i) : 1;
      run({calls.data() + i, n});
      i += n;
    }
  }

  static bool is_of_engine(const Method& method) {
#if BENTO_ABI_TARGET_MINOR >= 1
    return method.abi->engine != nullptr;
#else
    return (void)method, false;
#endif
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  // At the end of the Host. The name of a method that has not finished all of its calls.
  std::optional<std::string> stop() {
    for (const auto& [name, engine] : engines_) {
      if (!engine->stop()) return name;
    }
    return std::nullopt;
  }
#endif

 private:
  static constexpr std::size_t kMaxBatch = 100;  // bentohost's default

  struct Held {
    Held(Method m, const bento_scope& caller, Values inputs, std::weak_ptr<Ticket> t)
        : method(std::move(m)),
          scope(caller),
          call{std::move(inputs), {}, {}},
          ticket(std::move(t)) {}
    const Method method;
    Scope scope;
    Runners::Call call;
    const std::weak_ptr<Ticket> ticket;
  };
  void run(std::span<const std::unique_ptr<Held>> calls) {
    RequestState batch(environment_, calls.front()->scope.abi());
    batch.may_call = batch.may_defer = false;
    std::vector<Runners::Call*> of_them;
    for (const auto& held : calls) {
      batch.add_caller(*held->scope.abi(), held->ticket.expired());
      of_them.push_back(&held->call);
    }
    try {
      Runners::run(calls.front()->method, batch.abi(), of_them);
    } catch (const Error& error) {
      for (Runners::Call* call : of_them) call->error = error;
    }
    for (const auto& held : calls) {
      const auto ticket = held->ticket.lock();
      if (ticket == nullptr) continue;
      if (held->call.error) held->call.results.clear();
      ticket->end(std::move(held->call.results), held->call.error);
    }
  }

  Environment& environment_;
  std::map<std::string, std::vector<std::unique_ptr<Held>>> held_;
#if BENTO_ABI_TARGET_MINOR >= 1
  Engine& engine_of(const Method& method) {
    auto& engine = engines_[method.name];
    if (engine == nullptr) engine = std::make_unique<Engine>(environment_, method);
    return *engine;
  }
  std::map<std::string, std::unique_ptr<Engine>> engines_;
#endif
};

}  // namespace bento::testing::internal
