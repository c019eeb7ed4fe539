// Endpoint: the innermost app, inside all middleware: routes a call, and answers it with an API in
// one of its three forms, or with a mounted app. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/headers.hpp>
#include <bento/testing/async_call.hpp>
#include <bento/testing/calls.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/codec.hpp>
#include <bento/testing/problem.hpp>
#include <bento/testing/routes.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <bento/testing/value.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing::internal {

// Whether an API takes the request piece by piece.
inline bool is_raw(const bento_api& api) {
#if BENTO_ABI_TARGET_MINOR >= 1
  if (api.raw_async != nullptr) return true;
#endif
  return api.raw != nullptr;
}

class Endpoint : public App {
 public:
  Endpoint(void* service, const bento_service& description, const Routes& routes)
      : service_(service), description_(description), routes_(routes) {}

  void call(const bento_call& from) override {
    RequestState& state = RequestState::of(from.ctx);
    Scope scope(*from.scope);
    if (scope.path == "/livez" || scope.path == "/healthz" || scope.path == "/readyz") {
      return answer_page(scope, state, from.channel);
    }
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
      out.expect_end(match.mount != nullptr ? name_of(*match.mount) : "the handler");
    } catch (const Error& error) {
      if (out.is_under_way()) throw;
      settle(error, state, from.channel);
    }
  }

 private:
  // Adds the status and headers that the handler has set, and counts the request's body.
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
    void on_piece(std::string_view piece, bool more) override {
      if (state_.is_on_loop) state_.check_cancelled();
      PassingChannel::on_piece(piece, more);
    }
    void on_head(AnswerHead head, std::string_view piece, bool more) override {
      if (state_.is_on_loop) state_.check_cancelled();
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
      return check_through(api.raw(service_, &api, &call, &error), error, "the handler");
    }
#if BENTO_ABI_TARGET_MINOR >= 1
    if (api.raw_async != nullptr) {
      const bento_call call{sizeof call, 0, state.abi(), state.scope, out.abi()};
      AsyncCall async(state, nullptr);
      return async.run(
          [&](bento_done* done) { return api.raw_async(service_, &api, &call, done, &error); },
          error,
          [](bento_code code, const bento_error& failed) {
            check_through(code, failed, "the handler");
          });
    }
    const bool is_direct = api.invoke == nullptr && api.invoke_async == nullptr;
#else
    const bool is_direct = api.invoke == nullptr;
#endif
    Method method{};
    if (is_direct) {
      method = state.environment.runners.find(detail::view(api.runner), detail::view(api.method));
    }
    const Values inputs = decode_inputs(api, method, state, out);
    std::vector<const bento_value*> pointers;
    for (const auto& input : inputs) pointers.push_back(&input->abi());
    Values results;
    if (is_direct) {
      if (is_stream(api)) return stream(api, method, pointers, state, out);
      results = call(method, pointers, state);
#if BENTO_ABI_TARGET_MINOR >= 1
    } else if (api.invoke_async != nullptr) {
      Sink sink;
      AsyncCall async(state, sink.abi());
      async.run(
          [&](bento_done* done) {
            return api.invoke_async(service_, &api, state.abi(), pointers.data(), pointers.size(),
                                    done, &error);
          },
          error, check_plugin);
      state.check_cancelled();
      results = sink.take();
#endif
    } else {
      Sink sink;
      check_plugin(api.invoke(service_, &api, state.abi(), pointers.data(), pointers.size(),
                              sink.abi(), &error),
                   error);
      results = sink.take();
    }
    const std::string who = "api " + std::string(detail::view(api.name));
    Encoded encoded = encode(results, outputs(api, method), who);
    out.answer({200, {{"Content-Type", std::move(encoded.content_type)}}}, encoded.body);
  }

  static bool is_stream(const bento_api& api) {
#if BENTO_ABI_TARGET_MINOR >= 1
    return api.stream != 0;
#else
    return (void)api, false;
#endif
  }
  // The API's own descriptors, or those of its method.
  static IoSpan inputs(const bento_api& api, const Method& method) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (api.n_ins != 0) return {{api.ins, api.n_ins}, true};
    if (api.in == nullptr && method.abi != nullptr && method.abi->n_ins != 0) {
      return {{method.abi->ins, method.abi->n_ins}, true};
    }
#endif
    return {{api.in != nullptr ? &api.in : &method.abi->in, 1}, false};
  }
  static IoSpan outputs(const bento_api& api, const Method& method) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (api.n_outs != 0) return {{api.outs, api.n_outs}, true};
    if (api.out == nullptr && method.abi != nullptr && method.abi->n_outs != 0) {
      return {{method.abi->outs, method.abi->n_outs}, true};
    }
#endif
    return {{api.out != nullptr ? &api.out : &method.abi->out, 1}, false};
  }
  static Values decode_inputs(const bento_api& api, const Method& method, RequestState& state,
                              Out& out) {
    const std::string content_type(Headers(state.scope->headers).get("content-type"));
    return decode(Outlet(out.abi()).read_all(), content_type, inputs(api, method));
  }

  // The result of a direct API's method.
  static Values call(const Method& method, const std::vector<const bento_value*>& in,
                     RequestState& state) {
    if (!Calls::is_of_engine(method)) return run_method(state, method, in.data(), in.size());
    const Submitted ticket(state, method, in);
    Values results;
    for (const bento_value* value : ticket->next()) {
      results.push_back(std::make_unique<Value>());
      results.back()->copy(*value);
    }
    return results;
  }
  // A call that is cancelled when it is not waited for any more.
  class Submitted {
   public:
    Submitted(RequestState& state, const Method& method, const std::vector<const bento_value*>& in)
        : ticket_(
              Ticket::give(state.environment.calls->submit(state, method, in.data(), in.size()))) {}
    Submitted(const Submitted&) = delete;
    Submitted& operator=(const Submitted&) = delete;
    ~Submitted() { Ticket::release(ticket_); }
    Ticket* operator->() const { return &Ticket::of(ticket_); }

   private:
    bento_ticket* const ticket_;
  };

#if BENTO_ABI_TARGET_MINOR >= 1
  // A direct API of a streaming method.
  void stream(const bento_api& api, const Method& method, const std::vector<const bento_value*>& in,
              RequestState& state, Out& out) const {
    const bool is_events = api.stream == BENTO_AS_EVENTS;
    const std::string who = "api " + std::string(detail::view(api.name));
    const Submitted ticket(state, method, in);
    Outlet outlet(out.abi());
    bool has_begun = false;
    const auto send = [&](const std::string& text, bool more) {
      if (std::exchange(has_begun, true)) return outlet.piece(text, more);
      const char* const type = is_events ? "text/event-stream" : "application/x-ndjson";
      outlet.head({200, { {"Content-Type", type}, { "Cache-Control", "no-store" } }}, text, more);
    };
    try {
      while (true) {
        const auto values = ticket->next();
        if (values.empty()) break;
        const std::string text = encode_piece(values, outputs(api, method), who, is_events);
        send(is_events ? detail::event_text({.data = text}) : text + "\n", true);
      }
    } catch (const Error& error) {
      if (!has_begun || !is_events || error.code() == BENTO_CANCELLED) throw;
      const std::string text = make_problem(error, state).body;
      return send(detail::event_text({.data = text, .event = "error"}), false);
    }
    send(is_events ? "data: [DONE]\n\n" : "", false);
  }
#else
  void stream(const bento_api&, const Method&, const std::vector<const bento_value*>&,
              RequestState&, Out&) const {}
#endif

  void answer(const bento_mount& mount, RequestState& state, Out& out) const {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (mount.call_async != nullptr &&
        (mount.takes_async == nullptr || mount.takes_async(mount.app.self, state.scope) != 0)) {
      const bento_call call{sizeof call, 0, state.abi(), state.scope, out.abi()};
      bento_error error = detail::make_error();
      AsyncCall async(state, nullptr);
      return async.run(
          [&](bento_done* done) { return mount.call_async(mount.app.self, &call, done, &error); },
          error,
          [&](bento_code code, const bento_error& failed) {
            check_through(code, failed, name_of(mount));
          });
    }
#endif
    if (mount.app.call == nullptr) {
      throw Error(BENTO_UNIMPLEMENTED,
                  "the mount " + std::string(detail::view(mount.prefix)) +
                      " is answered by bentohost itself: bento::testing does not have it");
    }
    const bento_call call{sizeof call, 0, state.abi(), state.scope, out.abi()};
    bento_error error = detail::make_error();
    check_through(mount.app.call(mount.app.self, &call, &error), error, name_of(mount));
  }

  // Only a 500 goes to the log, so only its message names the source; others are for the client.
  static void check_through(bento_code code, const bento_error& error, const std::string& who) {
    try {
      check_plugin(code, error);
    } catch (const Error& own) {
      if (http_status(own) != 500) throw;
      throw Error(own.code(), who + ": " + own.what(), own.http_status());
    }
  }
  std::string name_of(const bento_mount& mount) const {
    return "the app at " + std::string(detail::view(mount.prefix)) + " of " +
           std::string(detail::view(description_.name));
  }

  static void answer_page(const Scope& scope, RequestState& state, bento_channel* channel) {
    if (scope.method != "GET" && scope.method != "HEAD") {
      return refuse(scope, "GET, HEAD", state, channel);
    }
    Outlet(channel).head({200, {{"Content-Type", "text/plain; charset=utf-8"}}}, "ok\n", false);
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
  const bento_service& description_;
  const Routes& routes_;
};

}  // namespace bento::testing::internal
