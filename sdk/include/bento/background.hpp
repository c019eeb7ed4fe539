// Background tasks: work that a handler leaves to be done after its answer is on the wire. Part of
// <bento/bento.hpp>.
//
//   svc.api("classify_and_tell", [=](bento::Context& ctx, bento::TensorView<double> x) {
//     auto result = predict.run(ctx, x);
//     bento::BackgroundTasks tasks;
//     tasks.add_task(send_result, result, url);
//     return bento::TaskResponse{std::move(result), std::move(tasks)};
//   });
//
// The tasks of a request run in order, on threads of their own (--background-threads). One that
// throws is logged with the request's id, and those after it do not run; the answer is not touched.
// A task may take a bento::Context& first, to call runners and to log; it is told to end by
// cancelled(). What a task holds is destroyed once, run or not, on any thread.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

class BackgroundTasks {
 public:
  BackgroundTasks() = default;
  // f(args...) or f(Context&, args...), with copies of the arguments.
  template <typename F, typename... Args>
  void add_task(F f, Args... args) {
    tasks_.push_back([f = std::move(f), args = std::make_tuple(std::move(args)...)](Context& ctx) {
      std::apply(
          [&](const auto&... each) {
            if constexpr (std::is_invocable_v<const F&, Context&, const Args&...>) {
              std::invoke(f, ctx, each...);
            } else {
              std::invoke(f, each...);
            }
          },
          args);
    });
  }
  std::size_t size() const { return tasks_.size(); }

  // Hands them to the host, to run after the request's answer. Throws Error, 503, when
  // --max-background tasks wait already: those before it are handed over.
  void defer(Context& ctx) && {
    for (Task& task : tasks_) {
      auto row = std::make_unique<Deferred>(Deferred{ctx.host(), ctx.options(), std::move(task)});
      bento_error error = detail::make_error();
      detail::check(ctx.host()->defer(ctx.abi(), &run, row.get(), &drop, &error), error);
      (void)row.release();  // the host's now: it calls drop
    }
    tasks_.clear();
  }

 private:
  using Task = std::function<void(Context&)>;
  struct Deferred {
    const bento_host* host;
    const Options& options;
    Task task;
  };
  static bento_code run(void* arg, bento_ctx* ctx, bento_error* error) {
    return detail::guard(error, [&] {
      const auto& deferred = *static_cast<const Deferred*>(arg);
      Context context(deferred.host, ctx, deferred.options);
      deferred.task(context);
    });
  }
  static void drop(void* arg) { delete static_cast<Deferred*>(arg); }

  std::vector<Task> tasks_;
};

// A handler's result and what is to be done after it has been sent.
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
