// RequestState: the bento_ctx of this host, for a request or a background task. Task: work that a
// request has deferred. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/fetch.hpp>
#include <bento/headers.hpp>
#include <bento/testing/fetch_call.hpp>
#include <bento/testing/fiber.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/scope.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bento::testing::internal {

inline constexpr bento_code kPending = 1000;  // BENTO_PENDING, which ABI 1.0 does not have

struct RequestState;
class Calls;

// The state that all requests to a service share.
struct Environment {
  // Returns when something may have happened that a request of this thread of control waits for.
  void wait(RequestState& state);
  // Whether this is the Host's thread, or a fiber in its place; not one of the plugin's own.
  bool is_host_thread() const {
    return Fiber::is_current() || std::this_thread::get_id() == thread;
  }

  std::vector<LogLine> log;
  Runners runners;
  Calls* calls = nullptr;  // the Host's
  Loop loop;
  std::map<std::string, Loop::Time> latencies;  // of "runner.method"
  std::size_t window = 0;                       // results that a stream is ahead of its reader
  const std::thread::id thread = std::this_thread::get_id();
  std::size_t max_background = 0;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::function<FetchResponse(const FetchCall&)> fetches;  // empty: there is no server anywhere
#endif
};

// Drops its argument exactly once, whether it was run or not.
class Task {
 public:
  using Run = bento_code (*)(void*, bento_ctx*, bento_error*);
  Task(Run function, void* arg, void (*drop)(void*)) : run_(function), arg_(arg), drop_(drop) {}
#if BENTO_ABI_TARGET_MINOR >= 1
  using RunAsync = bento_code (*)(void*, bento_ctx*, bento_done*, bento_error*);
  Task(RunAsync function, void* arg, void (*drop)(void*))
      : run_async_(function), arg_(arg), drop_(drop) {}
  bool is_async() const { return run_async_ != nullptr; }
  bento_code run_async(bento_ctx* ctx, bento_done* done, bento_error& error) const {
    return run_async_(arg_, ctx, done, &error);
  }
#endif
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { drop_(arg_); }

  void run(bento_ctx* ctx) const {
    bento_error error = detail::make_error();
    detail::check(run_(arg_, ctx, &error), error);
  }

 private:
  Run run_ = nullptr;
#if BENTO_ABI_TARGET_MINOR >= 1
  RunAsync run_async_ = nullptr;  // in its place
#endif
  void* arg_;
  void (*drop_)(void*);
};

// A function that the plugin asked to be called, once.
class Wake {
 public:
  Wake(Loop& loop, RequestState& state);
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake();

  void ask(void (*wake)(void*), void* arg) { asked_ = std::make_shared<Asked>(Asked{wake, arg}); }
  void forget() { asked_.reset(); }
  // In the next turn.
  void tell() {
    if (!asked_) return;
    loop_.post([weak = std::weak_ptr(asked_), this] {
      const auto asked = weak.lock();
      if (!asked) return;
      asked_.reset();
      asked->wake(asked->arg);
    });
  }

 private:
  struct Asked {
    void (*wake)(void*);
    void* arg;
  };
  Loop& loop_;
  RequestState& state_;
  std::shared_ptr<Asked> asked_;  // null when nobody is to be called
};

struct RequestState {
  RequestState(Environment& e, const bento_scope* s) : environment(e), scope(s) {}
  RequestState(const RequestState&) = delete;
  RequestState& operator=(const RequestState&) = delete;

  bento_ctx* abi() { return reinterpret_cast<bento_ctx*>(this); }
  static RequestState& of(bento_ctx* ctx) { return *reinterpret_cast<RequestState*>(ctx); }

  // From now on nothing that it waits for comes.
  void cancel(bento_code code, const char* why) {
    if (cancel_code != BENTO_OK) return;
    cancel_code = code;
    cancel_reason = why;
    for (Wake* wake : std::set<Wake*>(wakes)) wake->tell();
  }
  void check_cancelled() const {
    if (cancel_code != BENTO_OK) throw Error(cancel_code, cancel_reason);
  }
  void leave() {
    is_gone = true;
    cancel(BENTO_CANCELLED, "the client is gone");
  }

  // An answer that has started has no deadline.
  bool is_cancelled() const {
    if (cancel_code != BENTO_OK) return true;
    if (is_on_loop) return is_gone;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto now_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
    return is_gone || (!is_streaming && scope->deadline_ns != 0 && now_ns >= scope->deadline_ns);
  }
  void log(Log level, std::string message) {
    environment.log.push_back(
        {level, std::move(message), std::string(detail::view(scope->request_id))});
  }

  Environment& environment;
  const std::chrono::nanoseconds began = std::chrono::steady_clock::now().time_since_epoch();
  const bento_scope* scope;           // as its handler sees it
  std::atomic<bool> is_gone = false;  // the client has left; read by threads of the plugin's, too
  bool is_streaming = false;
  bool is_on_loop = false;  // its handler is asynchronous
  bento_code cancel_code = BENTO_OK;
  const char* cancel_reason = "";
  std::set<Wake*> wakes;     // all that it has asked for
  bool may_call = true;      // may call runners
  bool may_defer = true;     // may defer tasks
  std::uint32_t status = 0;  // set by the handler
  Headers headers;           // likewise
  std::deque<Task> tasks;
  RequestState* running_task = nullptr;  // of this request

#if BENTO_ABI_TARGET_MINOR >= 1
  // Of a runner's batch: whose calls it is made of.
  void add_caller(const bento_scope& from, bool is_cancelled_already = false) {
    bento_caller caller{};
    caller.size = sizeof caller;
    caller.cancelled = is_cancelled_already ? 1 : 0;
    caller.request_id = from.request_id;
    for (std::size_t i = 0; i < from.headers.len; ++i) {
      const bento_pair& header = from.headers.ptr[i];
      if (detail::view(header.name) == "traceparent") caller.traceparent = header.value;
    }
    caller.deadline_ns = from.deadline_ns;
    callers.push_back(caller);
  }
  std::deque<bento_caller> callers;
#else
  void add_caller(const bento_scope&, bool = false) {}
#endif
};

inline Wake::Wake(Loop& loop, RequestState& state) : loop_(loop), state_(state) {
  state.wakes.insert(this);
}
inline Wake::~Wake() { state_.wakes.erase(this); }

inline void Environment::wait(RequestState& state) {
  if (Fiber::wait() || loop.turn_soon()) return;
  if (state.cancel_code != BENTO_OK) {
    throw Error(BENTO_INTERNAL, "the handler was cancelled, and has not ended");
  }
  state.cancel(BENTO_DEADLINE_EXCEEDED, "the handler waits for what will never come");
}

// While it lives, the request has the scope that its handler or middleware was called with.
class SeenScope {
 public:
  SeenScope(RequestState& state, const bento_scope* scope)
      : state_(state), before_(std::exchange(state.scope, scope)) {}
  SeenScope(const SeenScope&) = delete;
  SeenScope& operator=(const SeenScope&) = delete;
  ~SeenScope() { state_.scope = before_; }

 private:
  RequestState& state_;
  const bento_scope* before_;
};

// Runs a runner method's call for a request.
inline Values run_method(const RequestState& caller, const Method& method,
                         const bento_value* const* in, std::size_t n) {
  RequestState batch(caller.environment, caller.scope);
  batch.may_call = batch.may_defer = false;
  batch.add_caller(*caller.scope, caller.is_gone);
  Runners::Call call{Runners::take_inputs(method, in, n), {}, {}};
  Runners::Call* const calls[] = {&call};
  Runners::run(method, batch.abi(), calls);
  if (call.error) throw Error(*call.error);
  return std::move(call.results);
}

}  // namespace bento::testing::internal
