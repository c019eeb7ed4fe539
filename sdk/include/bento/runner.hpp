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
// Methods that return result after result, or that have many calls in flight, are streams and
// engines: Runner::stream() and Runner::engine().
//
//   auto generate = llm.engine<&Llm::begin, &Llm::step>("generate", {.max_concurrent = 32});
//   svc.api("generate", generate, {.stream = bento::As::kEvents});
//
// Each runner has --runner-workers processes, with one instance and one thread that calls it. A
// worker that crashes takes only its batch with it, and is replaced.
#pragma once

#include <bento/abi.h>

#include <bento/batch.hpp>
#include <bento/context.hpp>
#include <bento/detail/engine.hpp>
#include <bento/detail/method_record.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/run.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/future.hpp>
#include <bento/io.hpp>
#include <bento/metrics.hpp>
#include <bento/result_stream.hpp>
#include <bento/work.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace bento {

// How calls of several callers are put together, if they are.
enum class Batching { kNone, kRows, kLists };
using Batching::kLists;
using Batching::kRows;

// How the host calls a method. Batching has BentoML's names.
struct MethodOptions {
  // Rows of several callers come in one call, concatenated along axis_in, and the result is split
  // along axis_out: the method returns as many rows as it was given, in their order. Inputs and
  // outputs are tensors. Calls that arrive while all workers are busy become the next batch; an
  // idle worker is not kept waiting for one, unless max_batch_wait_us says so.
  bool batchable = false;
  // A call may run a second time, alone, where its worker died or its batch of several callers
  // failed. Without it such calls are answered with that error.
  bool idempotent = false;
  // Most rows of a call of the method, or most callers of one with lists; what has more is split,
  // and put together again. 0: 100.
  std::uint32_t max_batch = 0;
  // A call that waits longer than this for a worker is answered 503. Milliseconds; 0: until the
  // request's deadline, 504.
  std::uint32_t max_latency_ms = 0;
  std::int32_t axis_in = 0, axis_out = 0;  // the batch axes; not negative
  // In place of the descriptors that the C++ types imply: see <bento/io.hpp>. Inputs are held to
  // them in the host process, results in the worker. Not for what has several values.
  std::optional<Io> input = {}, output = {};
  // kRows is the same as .batchable. kLists, of a method that takes a std::span<const In> or a
  // bento::Batch<In>: callers' values side by side, one each, whatever their kind and shape.
  Batching batch = Batching::kNone;
  // How long an idle worker waits for a fuller batch, in microseconds. 0: not at all.
  std::uint32_t max_batch_wait_us = 0;
};

// How the host calls a method whose calls come and go one by one.
struct EngineOptions {
  // Calls in flight in one worker; others wait in the queue.
  std::uint32_t max_concurrent = 1;
  // A call that has emitted nothing may run a second time where its worker died.
  bool idempotent = false;
  // A call that waits longer than this for a worker, or for its next result once it has one, has
  // failed. Milliseconds; 0: no such limit; until the first result the request's deadline holds.
  std::uint32_t max_latency_ms = 0;
  std::optional<Io> input = {}, output = {};  // as MethodOptions has them
};

// What all methods of runners are, as the service's handlers see them.
template <typename In>
class MethodHandle {
 public:
  // The descriptor of what it takes, for an API that passes its input on.
  const Io& input() const {
    static_assert(!detail::kIsSeveral<In>, "the method takes several values, each with its own");
    return method_->in.front();
  }
  std::string_view runner_name() const { return runner_->name; }
  std::string_view name() const { return method_->name; }

 protected:
  MethodHandle(const detail::RunnerRecord* runner, const detail::MethodRecord* method)
      : runner_(runner), method_(method) {}
  bento_ticket* submit(Context& ctx, const In& input) const {
    return detail::submit_call(ctx, *runner_, *method_, input);
  }

  const detail::RunnerRecord* runner_;
  const detail::MethodRecord* method_;
};

// A runner's method, as the service's handlers call it. Cheap to copy, for lambdas to capture; any
// thread. It refers to the Service, and is valid as long as that. Only in the serving process: a
// runner that calls one throws Error, UNIMPLEMENTED.
template <typename Out, typename In>
class Method : public MethodHandle<In> {
  using Handle = MethodHandle<In>;
  using Handle::method_, Handle::runner_, Handle::submit;

 public:
  Method(const detail::RunnerRecord* runner, const detail::MethodRecord* method)
      : Handle(runner, method) {}

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

  template <typename... Arguments>
  void stream(Arguments&&...) const {
    static_assert(sizeof...(Arguments) > 99,
                  "this method returns one result: call it with run() or async_run()");
  }
};

#if BENTO_ABI_TARGET_MINOR >= 1
// A runner's streaming method, as the service's handlers call it. As Method else.
template <typename Out, typename In>
class StreamMethod : public MethodHandle<In> {
  using Handle = MethodHandle<In>;
  using Handle::method_, Handle::runner_, Handle::submit;

 public:
  StreamMethod(const detail::RunnerRecord* runner, const detail::MethodRecord* method)
      : Handle(runner, method) {}

  // Submits the call and returns at once; the input is copied before that. The results are read
  // from what it returns. Throws Error where the call is refused, as Method::async_run() does.
  ResultStream<Out> stream(Context& ctx, const In& input) const {
    return ResultStream<Out>(ctx, submit(ctx, input), runner_->name, method_->name);
  }

  template <typename... Arguments>
  void run(Arguments&&...) const {
    static_assert(sizeof...(Arguments) > 99,
                  "this method returns many results: call it with stream()");
  }
  template <typename... Arguments>
  void async_run(Arguments&&...) const {
    static_assert(sizeof...(Arguments) > 99,
                  "this method returns many results: call it with stream()");
  }
};
#endif

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
  // function's types. Also, see <bento/batch.hpp>,
  //
  //   Out predict(bento::BatchContext&, In)         knows whose calls it runs, and fails single
  //   ones std::vector<Out> embed(std::span<const In>)   the values of several callers side by side
  //   std::vector<Out> embed(bento::Batch<In>)      the same, and fails single ones
  template <auto Member>
  auto method(std::string_view name, const MethodOptions& options = {}) {
    return add<typename detail::Signature<decltype(Member)>::Tuple>(
        name, options, [](Model& model, auto&&... arguments) {
          return (model.*Member)(std::forward<decltype(arguments)>(arguments)...);
        });
  }

  // A lambda without captures, Out(Model&, In): a captured value would not get into the worker
  // process. The same else.
  template <typename F>
  auto method(std::string_view name, const MethodOptions& options, F f) {
    return add<typename detail::WithoutFirst<typename detail::Signature<F>::Tuple>::Type>(
        name, options, f);
  }
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  auto method(std::string_view name, F f) {
    return method(name, MethodOptions{}, f);
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  // A method that returns any number of results, one after the other, each as soon as it is there:
  // void generate(In, bento::Emit<Out>&), a member function or a lambda without captures with a
  // Model& before these. One call at a time; what it throws ends its call with that error.
  template <auto Member>
  auto stream(std::string_view name, const EngineOptions& options = {}) {
    return add_stream<typename detail::Signature<decltype(Member)>::Tuple>(
        name, options, [](Model& model, auto&& input, auto& emit) {
          (model.*Member)(std::forward<decltype(input)>(input), emit);
        });
  }
  template <typename F>
  auto stream(std::string_view name, const EngineOptions& options, F f) {
    return add_stream<typename detail::WithoutFirst<typename detail::Signature<F>::Tuple>::Type>(
        name, options, f);
  }
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  auto stream(std::string_view name, F f) {
    return stream(name, EngineOptions{}, f);
  }

  // Many calls at once, which join and leave one by one. All are called on the runner's thread,
  // but for what the author does on threads of his own. See <bento/work.hpp>.
  //
  //   void begin(bento::Work<In, Out>& work)   A call joins. Without a step it ends with begin.
  //   void step(std::span<bento::Work<In, Out>*> works)
  //                    Called again and again while there are calls: one turn for all of them that
  //                    have room for a result. Tens of milliseconds at most: calls join, and leave
  //                    when their client does, in between.
  //   void cancel(bento::Work<In, Out>& work)  Nobody waits for it any more: once, between steps.
  //                    Work::cancelled() says so, too.
  //   void begin(bento::Work<In, Out> work)    A call joins, and is the author's own to keep.
  //
  // An exception of begin is the error of its call, one of step of all calls that it was given.
  template <auto Begin, auto Step = nullptr, auto Cancel = nullptr>
  auto engine(std::string_view name, const EngineOptions& options = {}) {
    using Engine = detail::Engine<Model, Begin, Step, Cancel>;
    using In = typename Engine::W::Input;
    using Out = typename Engine::W::Output;
    return StreamMethod<Out, In>(record_,
                                 &add_engine<In, Out>(name, options, Engine::abi(), BENTO_STREAMS));
  }
  // The same for one result each, which Work::finish() is given; there is no emit(). It is called
  // as other methods are, with run() and async_run().
  template <auto Begin, auto Step = nullptr, auto Cancel = nullptr>
  auto concurrent(std::string_view name, const EngineOptions& options = {}) {
    using Engine = detail::Engine<Model, Begin, Step, Cancel>;
    using In = typename Engine::W::Input;
    using Out = typename Engine::W::Output;
    return Method<Out, In>(record_, &add_engine<In, Out>(name, options, Engine::abi(), 0));
  }
#endif

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

  template <typename Arguments, typename F>
  auto add(std::string_view name, const MethodOptions& options, F) {
    static_assert(std::is_empty_v<F>,
                  "a runner method runs in another process: it cannot capture anything");
    using Run = detail::Run<Model, F, Arguments>;
    using In = typename Run::In;
    using Out = typename Run::Out;
    const std::string what = "method " + record_->name + "." + std::string(name);
    if ((options.batch == Batching::kLists) != Run::kIsList) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  what + (Run::kIsList ? " takes a list: it needs .batch = bento::kLists"
                                       : " takes one value: with .batch = bento::kLists it takes a "
                                         "std::span<const In> or a bento::Batch<In>"));
    }
    detail::MethodRecord& record = describe<In, Out>(name, options.input, options.output);
    record.abi.flags = flags_of(options);
    record.abi.axis_in = options.axis_in;
    record.abi.axis_out = options.axis_out;
    record.abi.max_batch = options.max_batch;
    record.abi.max_latency_ms = options.max_latency_ms;
#if BENTO_ABI_TARGET_MINOR >= 1
    record.abi.max_batch_wait_us = options.max_batch_wait_us;
#else
    if (options.max_batch_wait_us != 0) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  what + ": max_batch_wait_us needs BENTO_ABI_TARGET_MINOR 1");
    }
#endif
    record.abi.run = &Run::run;
    return Method<Out, In>(record_, &record);
  }
  static std::uint32_t flags_of(const MethodOptions& options) {
    std::uint32_t flags = options.idempotent ? BENTO_IDEMPOTENT : 0;
    if (options.batchable || options.batch != Batching::kNone) flags |= BENTO_BATCHABLE;
#if BENTO_ABI_TARGET_MINOR >= 1
    if (options.batch == Batching::kLists) flags |= BENTO_LISTS;
#endif
    return flags;
  }
  template <typename In, typename Out>
  detail::MethodRecord& describe(std::string_view name, const std::optional<Io>& input,
                                 const std::optional<Io>& output) {
    const std::string what = "method " + record_->name + "." + std::string(name);
    detail::MethodRecord& record = record_->add(name);
    record.in.describe<In>(input, what + ": its input");
    record.out.describe<Out>(output, what + ": its output");
    record.describe_io();
    return record;
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  template <typename In, typename Out>
  detail::MethodRecord& add_engine(std::string_view name, const EngineOptions& options,
                                   const bento_engine& engine, std::uint32_t flags) {
    detail::MethodRecord& record = describe<In, Out>(name, options.input, options.output);
    record.engine = engine;
    record.abi.flags = flags | (options.idempotent ? BENTO_IDEMPOTENT : 0);
    record.abi.max_latency_ms = options.max_latency_ms;
    record.abi.max_concurrent = options.max_concurrent;
    record.abi.engine = &record.engine;
    return record;
  }
  template <typename Arguments, typename F>
  auto add_stream(std::string_view name, const EngineOptions& options, F) {
    static_assert(std::is_empty_v<F>,
                  "a runner method runs in another process: it cannot capture anything");
    using Form = detail::StreamForm<Arguments>;
    using In = typename Form::In;
    using Out = typename Form::Out;
    if (options.max_concurrent != 1) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  "method " + record_->name + "." + std::string(name) +
                      " computes one call at a time: max_concurrent is for an engine");
    }
    return StreamMethod<Out, In>(
        record_, &add_engine<In, Out>(name, options, detail::StreamEngine<Model, In, Out, F>::abi(),
                                      BENTO_STREAMS));
  }
#endif

  detail::RunnerRecord* record_;
};

}  // namespace bento
