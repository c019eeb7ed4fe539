// Background tasks: work that a handler leaves to be done after its answer is on the wire.
// BentoML's (and Starlette's) names. Not a queue that outlives the process: what has not run when
// the host has stopped is lost, and logged. Part of <bento/bento.hpp>.
//
//   svc.api("classify_and_tell", [=](bento::Context& ctx, bento::TensorView<double> x) {
//     auto result = predict.run(ctx, x);
//     bento::BackgroundTasks tasks;
//     tasks.add_task(send_result, result, url);
//     return bento::TaskResponse{std::move(result), std::move(tasks)};
//   });
//
// The tasks of a request run one after the other, when its answer has been sent or cut off, on one
// of --background-threads; those of other requests run beside them. A task that throws is logged
// with the request's id, and those after it do not run. A task may take a bento::Context& of its
// own first, to call runners (each within --timeout) and to log; its cancelled() turns true when
// the host stops waiting, --timeout-graceful-shutdown after a stop. What a task holds is destroyed
// once, run or not, on any thread.
//
// A task may be a coroutine, a function or lambda that returns bento::Async<>: it holds no thread
// while it waits. All coroutines of all requests share one event loop, which is no connection's;
// what blocks there holds up the others. When the host stops waiting, what it awaits throws Error,
// CANCELLED.
#pragma once

#include <bento/abi.h>

#include <bento/async.hpp>
#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// A list of tasks, in the order in which they will run. A value, of one thread.
class BackgroundTasks {
 public:
  BackgroundTasks() = default;
  // f(args...) or f(Context&, args...), with copies of the arguments, which it is passed as const&.
  // Both are kept until it has run, or the coroutine that it returns has ended: no views or
  // references of the request's among them.
  template <typename F, typename... Args>
  void add_task(F f, Args... args) {
    auto task = [f = std::move(f), args = std::make_tuple(std::move(args)...)](Context& ctx) {
      return std::apply(
          [&](const auto&... each) {
            if constexpr (std::is_invocable_v<const F&, Context&, const Args&...>) {
              return std::invoke(f, ctx, each...);
            } else {
              return std::invoke(f, each...);
            }
          },
          args);
    };
    add(std::move(task));
  }
  std::size_t size() const { return tasks_.size(); }

  // Hands them to the host, to run after the answer of ctx's request. For a TaskResponse that is
  // done when its handler returns. Throws Error: 503 when --max-background tasks of all requests
  // wait already (those before are handed over, and run); 500 when the answer has ended, or in a
  // task.
  void defer(Context& ctx) && {
    for (Task& task : tasks_) {
      auto row = std::make_unique<Deferred>(Deferred{ctx.host(), ctx.options(), std::move(task)});
      bento_error error = detail::make_error();
      detail::check(defer(ctx, *row, &error), error);
      (void)row.release();  // the host's now: it calls drop
    }
    tasks_.clear();
  }

 private:
  struct Task {
    std::function<void(Context&)> run;
#if BENTO_ABI_TARGET_MINOR >= 1
    std::function<Async<>(Context&)> run_async = {};  // in its place
#endif
  };
  struct Deferred {
    const bento_host* host;
    const Options& options;
    Task task;
  };
  template <typename F>
  void add(F f) {
#if BENTO_ABI_TARGET_MINOR >= 1
    using Result = std::invoke_result_t<F&, Context&>;
    if constexpr (detail::AsyncTraits<Result>::kIs) {
      static_assert(std::is_same_v<Result, Async<>>,
                    "nobody takes the result of a background task: it returns bento::Async<>");
      tasks_.push_back({.run = nullptr, .run_async = std::move(f)});
      return;
    }
#endif
    tasks_.push_back({.run = std::move(f)});
  }
  static bento_code defer(Context& ctx, Deferred& deferred, bento_error* error) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (deferred.task.run_async) {
      return ctx.host()->defer_async(ctx.abi(), &run_async, &deferred, &drop, error);
    }
#endif
    return ctx.host()->defer(ctx.abi(), &run, &deferred, &drop, error);
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  static bento_code run_async(void* arg, bento_ctx* ctx, bento_done* done, bento_error*) {
    const auto& deferred = *static_cast<const Deferred*>(arg);
    (void)drive(deferred, Context(deferred.host, ctx, deferred.options), done);
    return BENTO_OK;
  }
  static detail::Detached drive(const Deferred& deferred, Context context, bento_done* done) {
    std::exception_ptr failure;
    try {
      co_await deferred.task.run_async(context);
    } catch (...) {
      failure = std::current_exception();
    }
    detail::finish(done, failure);
  }
#endif
  static bento_code run(void* arg, bento_ctx* ctx, bento_error* error) {
    return detail::guard(error, [&] {
      const auto& deferred = *static_cast<const Deferred*>(arg);
      Context context(deferred.host, ctx, deferred.options);
      deferred.task.run(context);
    });
  }
  static void drop(void* arg) { delete static_cast<Deferred*>(arg); }

  std::vector<Task> tasks_;
};

// What a handler returns: its result, as if that were returned alone, and the tasks to run after it
// has been sent.
template <typename Out>
struct TaskResponse {
  TaskResponse(Out value, BackgroundTasks after)
      : result(std::move(value)), tasks(std::move(after)) {}
  // One task, a function without arguments or with a Context&.
  template <typename F, typename = std::enable_if_t<!std::is_same_v<F, BackgroundTasks>>>
  TaskResponse(Out value, F task) : result(std::move(value)) {
    tasks.add_task(std::move(task));
  }

  Out result;
  BackgroundTasks tasks;
};

template <typename F, typename... Args>
void Context::defer(F f, Args... args) {
  BackgroundTasks tasks;
  tasks.add_task(std::move(f), std::move(args)...);
  std::move(tasks).defer(*this);
}

namespace detail {

template <typename T>
struct TaskResponseTraits {
  static constexpr bool kIs = false;
  using Result = T;
};
template <typename Out>
struct TaskResponseTraits<TaskResponse<Out>> {
  static constexpr bool kIs = true;
  using Result = Out;
};

}  // namespace detail
}  // namespace bento
