// ApiRecord: an API as declared by Service::api(), and the ABI's functions for it. Part of
// <bento/bento.hpp>; see <bento/api.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/api.hpp>
#include <bento/context.hpp>
#include <bento/detail/async_exchange.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <bento/stream.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace bento::detail {

// The `self` that the service's create() returns, in the host process.
struct ServiceState {
  explicit ServiceState(const bento_host* h) : host(h), options(h) {}
  const bento_host* host;
  Options options;
};

struct ApiRecord {
  using Handler = std::function<void(Context&, const bento_value* const*, bento_sink*)>;
  using StreamHandler = std::function<void(Context&, Stream&)>;

  ApiRecord(std::string_view api, const ApiOptions& options)
      : name(api),
        route(with_leading_slash(options.route)),
        http_method(options.method),
        doc(options.doc),
        given_in(options.input),
        given_out(options.output) {
    abi.size = sizeof abi;
    abi.name = str(name);
    abi.route = str(route);
    abi.doc = str(doc);
    abi.user = this;
    abi.http_method = str(http_method);
    abi.max_body = options.max_body;
#if BENTO_ABI_TARGET_MINOR >= 1
    is_stream = options.stream.has_value();
#endif
    if (options.quick) abi.flags |= BENTO_API_QUICK;
  }
  ApiRecord(const ApiRecord&) = delete;

  void describe_io() {
    abi.in = in.single();
    abi.out = out.single();
#if BENTO_ABI_TARGET_MINOR >= 1
    abi.ins = in.named();
    abi.n_ins = in.named_size();
    abi.outs = out.named();
    abi.n_outs = out.named_size();
#endif
  }

  // A direct API.
  void bind(std::string_view runner_name, std::string_view method_name) {
    runner = runner_name;
    method = method_name;
    abi.runner = str(runner);
    abi.method = str(method);
    if (given_in) in.describe_as(*given_in);
    if (given_out) out.describe_as(*given_out);
    describe_io();
  }
  void expect_no_stream() const {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (!is_stream) return;
    throw Error(BENTO_FAILED_PRECONDITION,
                "api " + name + ": .stream is for an API that is bound to a streaming method");
#endif
  }
  void check_inputs(std::size_t n) const {
    if (n == in.size()) return;
    throw Error(BENTO_INTERNAL, "the API takes " + std::to_string(in.size()) +
                                    (in.size() == 1 ? " input" : " inputs"));
  }

  static bento_code invoke(void* self, const bento_api* api, bento_ctx* ctx,
                           const bento_value* const* in, std::size_t n, bento_sink* sink,
                           bento_error* error) {
    return guard(error, [&] {
      const auto& state = *static_cast<const ServiceState*>(self);
      const auto& record = *static_cast<const ApiRecord*>(api->user);
      record.check_inputs(n);
      Context context(state.host, ctx, state.options);
      record.handler(context, in, sink);
    });
  }

  static bento_code raw(void* self, const bento_api* api, const bento_call* call,
                        bento_error* error) {
    return guard(error, [&] {
      const auto& state = *static_cast<const ServiceState*>(self);
      Context context(state.host, call->ctx, state.options);
      Stream stream(call->channel);
      stream.run(
          [&] { static_cast<const ApiRecord*>(api->user)->stream_handler(context, stream); });
    });
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  static bento_code invoke_async(void* self, const bento_api* api, bento_ctx* ctx,
                                 const bento_value* const* in, std::size_t n, bento_done* done,
                                 bento_error* error) {
    return guard(error, [&] {
      const auto& state = *static_cast<const ServiceState*>(self);
      const auto& record = *static_cast<const ApiRecord*>(api->user);
      record.check_inputs(n);
      record.async_handler(Context(state.host, ctx, state.options), in, done);
    });
  }
  static bento_code raw_async(void* self, const bento_api* api, const bento_call* call,
                              bento_done* done, bento_error* error) {
    return guard(error, [&] {
      const auto& state = *static_cast<const ServiceState*>(self);
      drive(static_cast<const ApiRecord*>(api->user)->async_stream_handler,
            Context(state.host, call->ctx, state.options), call->channel, {}, done);
    });
  }
#endif

  std::string name, route, http_method, doc, runner, method;
#if BENTO_ABI_TARGET_MINOR >= 1
  bool is_stream = false;  // its options say so
#endif
  std::optional<Io> given_in, given_out;  // in place of what the handler's types imply
  IoList in, out;
  Handler handler;
  StreamHandler stream_handler;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::function<void(const Context&, const bento_value* const*, bento_done*)> async_handler;
  AsyncHandler async_stream_handler;
#endif
  bento_api abi{};
};

// Calls a handler, with the Context if it takes one.
template <typename F, typename... Input>
decltype(auto) call_handler(const F& handler, Context& ctx, Input&&... input) {
  using S = Signature<F>;
  if constexpr (S::kCount == sizeof...(Input)) {
    return handler(std::forward<Input>(input)...);
  } else {
    static_assert(
        S::kCount == 1 + sizeof...(Input) && std::is_same_v<typename S::First, Context&>,
        "a handler is Out(In) or Out(bento::Context&, In), or has a bento::Stream& for its In");
    return handler(ctx, std::forward<Input>(input)...);
  }
}

}  // namespace bento::detail
