// Runners: a class whose instances live in worker processes, and the handles by which the service's
// handlers call its methods. Part of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
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

struct MethodOptions {
  bool batchable = false;       // rows of many callers come in one call: see max_batch
  bool idempotent = false;      // may run again when a worker died over it
  std::uint32_t max_batch = 0;  // rows; 0: the host's default of 100
  std::uint32_t max_latency_ms =
      0;  // longest wait in the queue, then 503; 0: the request's deadline
  std::int32_t axis_in = 0, axis_out = 0;     // the batch axes
  std::optional<Io> input = {}, output = {};  // say more than the C++ types
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

template <typename T>
void put(bento_sink* sink, const T& result) {
  const auto held = IoTraits<T>::put(result);  // a bento_value, or what owns one
  const bento_value& value = held;
  bento_error error = make_error();
  check(sink->value(sink, &value, &error), error);
}

}  // namespace detail

// A call on its way. get() waits and throws what the call failed with; once only. Destroyed before
// that, it cancels the call.
template <typename Out>
class Future {
 public:
  Future(const bento_host* host, bento_ticket* ticket) : ticket_(ticket, Release{host}) {}

  Out get() {
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = detail::make_error();
    const bento_host* host = ticket_.get_deleter().host;
    detail::check(host->wait(ticket_.get(), &values, &n, &error), error);
    if (n == 0) throw Error(BENTO_INTERNAL, "the runner returned nothing");
    return detail::IoTraits<Out>::get(*values[0]);
  }

 private:
  struct Release {
    const bento_host* host;
    void operator()(bento_ticket* ticket) const { host->release(ticket); }
  };
  std::unique_ptr<bento_ticket, Release> ticket_;
};

// A runner's method, as the service's handlers see it. Cheap to copy; any thread.
template <typename Out, typename In>
class Method {
 public:
  Method(const detail::RunnerRecord* runner, const detail::MethodRecord* method)
      : runner_(runner), method_(method) {}

  // Waits for the result. Throws Error: 500 for an input that the method does not take (an API that
  // passes on what its client sent declares it: {.input = method.input()}), 503 when the runner is
  // overloaded or died, 504 past the request's deadline, or what the method itself threw.
  Out run(Context& ctx, const In& input) const { return async_run(ctx, input).get(); }

  // The input is copied before this returns. Several calls of one request overlap.
  Future<Out> async_run(Context& ctx, const In& input) const {
    const auto held = detail::IoTraits<In>::put(input);  // a bento_value, or what owns one
    const bento_value& value = held;
    const bento_value* values[] = {&value};
    bento_ticket* ticket = nullptr;
    bento_error error = detail::make_error();
    detail::check(ctx.host()->submit(ctx.abi(), detail::str(runner_->name),
                                     detail::str(method_->name), values, 1, &ticket, &error),
                  error);
    return Future<Out>(ctx.host(), ticket);
  }

  // What it takes.
  const Io& input() const { return method_->in; }
  std::string_view runner_name() const { return runner_->name; }
  std::string_view name() const { return method_->name; }

 private:
  const detail::RunnerRecord* runner_;
  const detail::MethodRecord* method_;
};

// Describes the runner whose instances are of class Model: constructed from a RunnerContext, which
// lives as long as they do, or from nothing, in each worker process; its methods are then called by
// one thread. What its constructor throws as BENTO_INVALID_ARGUMENT is not tried again; anything
// else is, with back-off.
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

  // A member function of Model: Out predict(In).
  template <auto Member>
  auto method(std::string_view name, const MethodOptions& options = {}) {
    return add<typename detail::Signature<decltype(Member)>::Last>(
        name, options, [](Model& model, auto input) { return (model.*Member)(std::move(input)); });
  }

  // A lambda without captures: Out(Model&, In).
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
    return detail::guard(error, [&] { *self = new Instance(host, worker); });
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
