// MiddlewareTable: the ABI's functions for a middleware class. Part of <bento/bento.hpp>; see
// <bento/middleware.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/call.hpp>
#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace bento::detail {

template <typename M>
concept HasState = requires {
  typename M::State;
};
template <typename M>
concept IsAround = requires(const M& m, Call& call, const Next& next) {
  m.call(call, next);
};
template <typename M>
concept IsAroundFunction = requires(const M& m, Call& call, const Next& next) {
  m(call, next);
};

struct MiddlewareRecord {
  MiddlewareRecord() = default;
  MiddlewareRecord(const MiddlewareRecord&) = delete;

  std::string name;
  const bento_host* host = nullptr;          // from create() on
  const Options* options = nullptr;          // likewise
  std::function<void(const Options&)> make;  // sets `object`
  std::shared_ptr<const void> object;
  bento_middleware abi{};
};

// The functions of the ABI for a middleware of class M.
template <typename M>
struct MiddlewareTable {
  static const M& object(const bento_middleware* middleware) {
    return *static_cast<const M*>(record(middleware).object.get());
  }
  static const MiddlewareRecord& record(const bento_middleware* middleware) {
    return *static_cast<const MiddlewareRecord*>(middleware->user);
  }
  static auto& state(bento_exchange* exchange) {
    if (exchange->state == nullptr) exchange->state = new typename M::State();
    return *static_cast<typename M::State*>(exchange->state);
  }

  static bento_code around(void*, const bento_middleware* middleware, const bento_call* abi,
                           const bento_app* next, bento_error* error) {
    return guard(error, [&] {
      Context context(record(middleware).host, abi->ctx, *record(middleware).options);
      Call call(context, *abi);
      const M& m = object(middleware);
      call.run([&] {
        if constexpr (IsAround<M>) {
          m.call(call, Next(next));
        } else {
          m(call, Next(next));
        }
      });
    });
  }
  static bento_code on_request(void*, const bento_middleware* middleware, bento_exchange* exchange,
                               bento_error* error) {
    return guard(error, [&] {
      Incoming incoming(record(middleware).host, exchange);
      if constexpr (HasState<M>) {
        object(middleware).on_request(incoming, state(exchange));
      } else {
        object(middleware).on_request(incoming);
      }
    });
  }
  static bento_code on_response(void*, const bento_middleware* middleware, bento_exchange* exchange,
                                bento_error* error) {
    return guard(error, [&] {
      Outgoing outgoing(record(middleware).host, exchange);
      if constexpr (HasState<M>) {
        object(middleware).on_response(outgoing, state(exchange));
      } else {
        object(middleware).on_response(outgoing);
      }
    });
  }
  static bento_code on_body(void*, const bento_middleware* middleware, bento_exchange* exchange,
                            bento_error* error) {
    return guard(error, [&] {
      Outgoing outgoing(record(middleware).host, exchange);
      if constexpr (HasState<M>) {
        object(middleware).on_body(outgoing, state(exchange));
      } else {
        object(middleware).on_body(outgoing);
      }
    });
  }
  static void on_end(void*, const bento_middleware* middleware, bento_exchange* exchange) {
    (void)guard(nullptr, [&] {
      if constexpr (HasState<M>) {
        const std::unique_ptr<typename M::State> last(
            static_cast<typename M::State*>(std::exchange(exchange->state, nullptr)));
        if constexpr (requires { &M::on_end; }) {
          if (last) object(middleware).on_end(*last);
        }
      } else if constexpr (requires { &M::on_end; }) {
        object(middleware).on_end();
      }
    });
  }

  static void fill(MiddlewareRecord& record) {
    bento_middleware& abi = record.abi;
    abi.size = sizeof abi;
    abi.name = str(record.name);
    abi.user = &record;
    if constexpr (IsAround<M> || IsAroundFunction<M>) {
      abi.around = &around;
    } else {
      static_assert(
          requires { &M::on_request; } || requires { &M::on_response; } ||
              requires { &M::on_body; } || requires { &M::on_end; },
          "a middleware has call(bento::Call&, const bento::Next&) const, or hooks: "
          "on_request, on_response, on_body, on_end");
      if constexpr (requires { &M::on_request; }) abi.on_request = &on_request;
      if constexpr (requires { &M::on_response; }) abi.on_response = &on_response;
      if constexpr (requires { &M::on_body; }) abi.on_body = &on_body;
      if constexpr (HasState<M> || requires { &M::on_end; }) abi.on_end = &on_end;
    }
  }
};

}  // namespace bento::detail
