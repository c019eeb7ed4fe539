// Endpoint: what is inside of all middleware: routes a call, and answers it with an API in one of
// its three forms, or with a mounted app. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/codec.hpp>
#include <bento/testing/problem.hpp>
#include <bento/testing/routes.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/value.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

class Endpoint : public App {
 public:
  Endpoint(void* service, const Routes& routes) : service_(service), routes_(routes) {}

  void call(const bento_call& from) override {
    RequestState& state = RequestState::of(from.ctx);
    Scope scope(*from.scope);
    Match match = routes_.find(scope.method, scope.path);
    scope.path_params = std::move(match.path_params);
    scope.root_path = match.root_path;
    const SeenScope seen(state, scope.abi());
    Out out(from.channel, state, match.api != nullptr ? match.api->max_body : 0);
    try {
      if (match.api != nullptr) {
        state.may_call = (match.api->flags & BENTO_API_QUICK) == 0;
        answer(*match.api, state, out);
      } else if (match.mount != nullptr) {
        answer(*match.mount, state, out);
      } else {
        return refuse(scope, match.allow, state, from.channel);
      }
      out.expect_end("the handler");
    } catch (const Error& error) {
      if (out.is_under_way()) throw;
      settle(error, state, from.channel);
    }
  }

 private:
  // Adds what the handler has set, and counts the request's body.
  class Out : public PassingChannel {
   public:
    Out(bento_channel* to, RequestState& state, std::uint64_t max_body)
        : PassingChannel(to),
          state_(state),
          left_(max_body != 0 ? max_body : std::numeric_limits<std::uint64_t>::max()) {}

   protected:
    void receive(bento_event& out) override {
      to_.receive(out);
      if (out.type != BENTO_REQUEST_BODY) return;
      if (out.body.len > left_) {
        throw Error(BENTO_INVALID_ARGUMENT, "the body is larger than the API takes", 413);
      }
      left_ -= out.body.len;
    }
    void on_head(AnswerHead head, std::string_view piece, bool more) override {
      if (state_.status != 0) head.status = state_.status;
      for (const auto& [name, value] : state_.headers) head.headers.add(name, value);
      state_.is_streaming = true;
      PassingChannel::on_head(std::move(head), piece, more);
    }

   private:
    RequestState& state_;
    std::uint64_t left_;
  };

  void answer(const bento_api& api, RequestState& state, Out& out) const {
    bento_error error = detail::make_error();
    if (api.raw != nullptr) {
      const bento_call call{sizeof call, 0, state.abi(), state.scope, out.abi()};
      return detail::check(api.raw(service_, &api, &call, &error), error);
    }
    const bool is_direct = api.invoke == nullptr;
    Method method{};
    if (is_direct) {
      method = state.environment.runners.find(detail::view(api.runner), detail::view(api.method));
    }
    const bento_io& in = api.in != nullptr ? *api.in : *method.abi->in;
    const std::string content_type(Headers(state.scope->headers).get("content-type"));
    const auto value = decode(Outlet(out.abi()).read_all(), content_type, in);
    const bento_value* const inputs[] = {&value->abi()};
    Values results;
    if (is_direct) {
      results = run_method(state, method, inputs, 1);
    } else {
      Sink sink;
      detail::check(api.invoke(service_, &api, state.abi(), inputs, 1, sink.abi(), &error), error);
      results = sink.take();
    }
    Encoded encoded = encode(results, api.out != nullptr ? *api.out : *method.abi->out);
    out.answer({200, {{"Content-Type", std::move(encoded.content_type)}}}, encoded.body);
  }

  void answer(const bento_mount& mount, RequestState& state, Out& out) const {
    if (mount.app.call == nullptr) {
      throw Error(BENTO_UNIMPLEMENTED, "the mount " + std::string(detail::view(mount.prefix)) +
                                           " is bentohost's own: it is not in bento::testing");
    }
    const bento_call call{sizeof call, 0, state.abi(), state.scope, out.abi()};
    bento_error error = detail::make_error();
    detail::check(mount.app.call(mount.app.self, &call, &error), error);
  }

  static void refuse(const Scope& scope, const std::string& allow, RequestState& state,
                     bento_channel* channel) {
    if (allow.empty()) throw Error(BENTO_NOT_FOUND, "there is nothing at " + scope.path);
    const std::string all = allow + ", OPTIONS";
    if (scope.method == "OPTIONS") return Outlet(channel).head({204, {{"Allow", all}}}, {}, false);
    Problem problem = make_problem(
        Error(BENTO_UNIMPLEMENTED, scope.path + " takes " + all + ", not " + scope.method, 405),
        state);
    problem.head.headers.add("Allow", all);
    Outlet(channel).head(problem.head, problem.body, false);
  }

  void* service_;
  const Routes& routes_;
};

}  // namespace bento::testing::internal
