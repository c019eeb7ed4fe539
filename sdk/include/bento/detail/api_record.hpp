// ApiRecord: an API as declared by Service::api(), and the ABI's functions for it. Part of
// <bento/bento.hpp>; see <bento/api.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/api.hpp>
#include <bento/context.hpp>
#include <bento/detail/async_exchange.hpp>
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
  using Handler = std::function<void(Context&, const bento_value&, bento_sink*)>;
  using StreamHandler = std::function<void(Context&, Stream&)>;

  ApiRecord(std::string_view api, const ApiOptions& options)
      : name(api),
        route(with_leading_slash(options.route)),
        http_method(options.method),
        doc(options.doc),
        in(options.input),
        out(options.output) {
    abi.size = sizeof abi;
    abi.name = str(name);
    abi.route = str(route);
    abi.doc = str(doc);
    abi.user = this;
    abi.http_method = str(http_method);
    abi.max_body = options.max_body;
    if (options.quick) abi.flags |= BENTO_API_QUICK;
  }
  ApiRecord(const ApiRecord&) = delete;

  void describe_io() {
    if (in) abi.in = &(in_abi = in->abi());
    if (out) abi.out = &(out_abi = out->abi());
  }

  static bento_code invoke(void* self, const bento_api* api, bento_ctx* ctx,
                           const bento_value* const* in, std::size_t n, bento_sink* sink,
                           bento_error* error) {
    return guard(error, [&] {
      const auto& state = *static_cast<const ServiceState*>(self);
      if (n != 1) throw Error(BENTO_INTERNAL, "the API takes one input");
      Context context(state.host, ctx, state.options);
      static_cast<const ApiRecord*>(api->user)->handler(context, *in[0], sink);
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
      if (n != 1) throw Error(BENTO_INTERNAL, "the API takes one input");
      static_cast<const ApiRecord*>(api->user)->async_handler(
          Context(state.host, ctx, state.options), *in[0], done);
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
  std::optional<Io> in, out;
  bento_io in_abi{}, out_abi{};
  Handler handler;
  StreamHandler stream_handler;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::function<void(const Context&, const bento_value&, bento_done*)> async_handler;
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
