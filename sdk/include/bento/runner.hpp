// Runners: a class whose instances live in worker processes, and the handles by which the service's
// handlers call its methods. A runner computes; it does not see requests, and calls no other
// runner. Part of <bento/bento.hpp>.
//
//   struct Classifier {
//     explicit Classifier(const bento::RunnerContext& rc) : model(rc.options().path("model")) {}
//     bento::Tensor<double> predict(bento::TensorView<double> x);  // (n, 4) -> (n)
//     Model model;
//   };
//
//   auto clf = svc.runner<Classifier>("clf");
//   auto predict = clf.method<&Classifier::predict>("predict", {.batchable = true});
//   svc.api("classify", [=](bento::Context& ctx, bento::TensorView<double> x) {
//     return predict.run(ctx, x);
//   });
//
// Each runner has --runner-workers processes, with one instance and one thread that calls it. A
// worker that crashes takes only its batch with it, and is replaced.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/future.hpp>
#include <bento/io.hpp>
#include <bento/metrics.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// How the host calls a method. Batching has BentoML's names.
struct MethodOptions {
  // Rows of several callers come in one call, concatenated along axis_in, and the result is split
  // along axis_out: the method returns as many rows as it was given, in their order. Input and
  // output are tensors. Calls that arrive while all workers are busy become the next batch; an idle
  // worker is never kept waiting for one.
  bool batchable = false;
  // A call may run a second time, alone, where its worker died or its batch of several callers
  // failed. Without it such calls are answered with that error.
  bool idempotent = false;
  // Most rows of a call of the method; what has more is split, and put together again. 0: 100.
  std::uint32_t max_batch = 0;
  // A call that waits longer than this for a worker is answered 503. Milliseconds; 0: until the
  // request's deadline, 504.
  std::uint32_t max_latency_ms = 0;
  std::int32_t axis_in = 0, axis_out = 0;  // the batch axes; not negative
  // In place of the descriptors that the C++ types imply: see <bento/io.hpp>. Inputs are held to
  // them in the host process, results in the worker.
  std::optional<Io> input = {}, output = {};
};

namespace detail {

struct MethodRecord {
  MethodRecord(std::string_view method, const MethodOptions& options, Io in_io, Io out_io)
      : name(method),
        in(std::move(in_io)),
        out(std::move(out_io)),
        in_abi(in.abi()),
        out_abi(out.abi()) {
    abi.size = sizeof abi;
    abi.flags =
        (options.batchable ? BENTO_BATCHABLE : 0) | (options.idempotent ? BENTO_IDEMPOTENT : 0);
    abi.name = str(name);
    abi.axis_in = options.axis_in;
    abi.axis_out = options.axis_out;
    abi.max_batch = options.max_batch;
    abi.max_latency_ms = options.max_latency_ms;
    abi.in = &in_abi;
    abi.out = &out_abi;
  }
  MethodRecord(const MethodRecord&) = delete;

  std::string name;
  Io in, out;
  bento_io in_abi, out_abi;
  bento_method abi{};
};

struct RunnerRecord {
  explicit RunnerRecord(std::string_view runner) : name(runner) {
    abi.size = sizeof abi;
    abi.name = str(name);
    abi.resources = str("cpu");
  }
  RunnerRecord(const RunnerRecord&) = delete;

  MethodRecord& add(std::string_view method, const MethodOptions& options, Io in, Io out) {
    methods.emplace_back(method, options, std::move(in), std::move(out));
    pointers.push_back(&methods.back().abi);
    abi.methods = pointers.data();
    abi.n_methods = pointers.size();
    return methods.back();
  }

  std::string name;
  std::deque<MethodRecord> methods;  // a deque: handles point into it
  std::vector<const bento_method*> pointers;
  bento_runner abi{};
};

// An instance of a runner's class, after the context that it was made from and may refer to.
template <typename Model>
struct Instance {
  Instance(const bento_host* host, std::uint32_t worker)
      : context(host, worker), model(make(context)) {}

  static Model make(const RunnerContext& context) {
    if constexpr (std::is_constructible_v<Model, const RunnerContext&>) {
      return Model(context);
    } else {
      return Model();
    }
  }

  RunnerContext context;
  Model model;
};

}  // namespace detail

// A runner's method, as the service's handlers call it. Cheap to copy, for lambdas to capture; any
// thread. It refers to the Service, and is valid as long as that. Only in the serving process: a
// runner that calls one throws Error, UNIMPLEMENTED.
template <typename Out, typename In>
class Method {
 public:
  Method(const detail::RunnerRecord* runner, const detail::MethodRecord* method)
      : runner_(runner), method_(method) {}

  // [waits] For the result; meanwhile the host lets another handler's thread run. Throws Error,
  // whose code or http_status() says
  //   500 for an input that the method does not take (an API that passes on what its client has
  //       sent declares {.input = method.input()}, so that its client is told instead);
  //   413 for one that is larger than --max-queue-bytes, or --max-queue, allows at all;
  //   502 when the worker broke the protocol of its pipe;
  //   503 when the runner's queue is full, max_latency_ms is over, or the worker has died;
  //   504 past the request's deadline; code CANCELLED when its client has left while it was queued;
  // or with what the method itself has thrown, code and status. Out must own its memory: a method
  // that returns a std::string_view or a TensorView is called by async_run().
  Out run(Context& ctx, const In& input) const { return async_run(ctx, input).get(); }

  // Submits the call and returns at once. The input is copied before that. Several calls of one
  // request overlap: submit them all, then get() or co_await each. Throws Error where the call is
  // refused (500, 413, 503 as above).
  Future<Out> async_run(Context& ctx, const In& input) const {
    return Future<Out>(ctx, submit(ctx, input), runner_->name, method_->name);
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  FutureOfTemporary<Out> async_run(Context& ctx,
                                   In&& input) const requires detail::kMustHaveName<In> {
    return FutureOfTemporary<Out>(ctx, submit(ctx, input), runner_->name, method_->name);
  }
#endif

  // The descriptor of what it takes, for an API that passes its input on.
  const Io& input() const { return method_->in; }
  std::string_view runner_name() const { return runner_->name; }
  std::string_view name() const { return method_->name; }

 private:
  bento_ticket* submit(Context& ctx, const In& input) const {
    const auto held = detail::IoTraits<In>::put(input);  // a bento_value, or what owns one
    const bento_value& value = held;
    const bento_value* values[] = {&value};
    bento_ticket* ticket = nullptr;
    bento_error error = detail::make_error();
    detail::check(ctx.host()->submit(ctx.abi(), detail::str(runner_->name),
                                     detail::str(method_->name), values, 1, &ticket, &error),
                  error);
    return ticket;
  }

  const detail::RunnerRecord* runner_;
  const detail::MethodRecord* method_;
};

// Describes the runner whose instances are of class Model; returned by Service::runner(), and used
// while the service is described. In each worker process the host makes one Model, from a const
// RunnerContext& that lives as long as it does, or from nothing; calls its methods on one thread,
// one after the other; and destroys it when the host stops or is gone. Model need not be safe for
// threads, nor copyable or movable.
//
// What the constructor throws as Error with BENTO_INVALID_ARGUMENT is not tried again, and at the
// host's first start ends the host with code 78. After any other exception, or a crash, another
// process tries again with back-off, 0.1 s to 10 s.
template <typename Model>
class Runner {
 public:
  static_assert(
      std::is_constructible_v<Model, const RunnerContext&> ||
          std::is_default_constructible_v<Model>,
      "a runner's class is constructed from a const bento::RunnerContext&, or from nothing");
  explicit Runner(detail::RunnerRecord& record) : record_(&record) {
    record.abi.create = &create;
    record.abi.destroy = [](void* self) { delete static_cast<Instance*>(self); };
  }

  // A member function of Model: Out predict(In), where In and Out are types of <bento/io.hpp>. A
  // view that it takes is valid until it returns, and so has to be the memory of a view that it
  // returns. What it throws is the error of the call; in a batch of several callers, of all of
  // them. Names are unique in the runner. Throws Error for a descriptor of another kind than the
  // function's types.
  template <auto Member>
  auto method(std::string_view name, const MethodOptions& options = {}) {
    return add<typename detail::Signature<decltype(Member)>::Last>(
        name, options, [](Model& model, auto input) { return (model.*Member)(std::move(input)); });
  }

  // A lambda without captures, Out(Model&, In): a captured value would not get into the worker
  // process. The same else.
  template <typename F>
  auto method(std::string_view name, const MethodOptions& options, F f) {
    return add<typename detail::Signature<F>::Last>(name, options, f);
  }
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  auto method(std::string_view name, F f) {
    return method(name, MethodOptions{}, f);
  }

 private:
  using Instance = detail::Instance<Model>;

  static bento_code create(const bento_host* host, std::uint32_t worker, void** self,
                           bento_error* error) {
    return detail::guard(error, [&] {
#if BENTO_ABI_TARGET_MINOR >= 1
      detail::MetricList::get().bind(host);
#endif
      *self = new Instance(host, worker);
    });
  }

  template <typename In, typename F>
  auto add(std::string_view name, const MethodOptions& options, F) {
    static_assert(std::is_empty_v<F>,
                  "a runner method runs in another process: it cannot capture anything");
    using Out =
        std::decay_t<decltype(std::declval<F>()(std::declval<Model&>(), std::declval<In>()))>;
    const std::string what = "method " + record_->name + "." + std::string(name);
    detail::MethodRecord& record = record_->add(
        name, options,
        detail::fitting(options.input, detail::IoTraits<In>::io(), what + ": its input"),
        detail::fitting(options.output, detail::IoTraits<Out>::io(), what + ": its output"));
    record.abi.run = [](void* self, const bento_method*, bento_ctx*, const bento_value* const* in,
                        std::size_t n, const std::uint32_t*, std::size_t, bento_sink* sink,
                        bento_error* error) {
      return detail::guard(error, [&] {
        if (n != 1) detail::misuse(BENTO_INVALID_ARGUMENT, "the method takes one input");
        detail::put(sink,
                    F{}(static_cast<Instance*>(self)->model, detail::IoTraits<In>::get(*in[0])));
      });
    };
    return Method<Out, In>(record_, &record);
  }

  detail::RunnerRecord* record_;
};

}  // namespace bento
