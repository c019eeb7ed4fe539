// Around and Hooks: the two forms of middleware, each an App around the next one. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/exchange.hpp>
#include <bento/testing/problem.hpp>
#include <bento/testing/state.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

class Around : public App {
 public:
  Around(void* service, const bento_middleware& middleware, App& next, std::string name)
      : service_(service), middleware_(middleware), next_(next), name_(std::move(name)) {}

  void call(const bento_call& from) override {
    const SeenScope seen(RequestState::of(from.ctx), from.scope);
    PassingChannel out(from.channel);
    out_ = &out;
    bento_call call = from;
    call.channel = out.abi();
    const bento_app next{this, &Around::call_next};
    bento_error error = detail::make_error();
    const bento_code code = middleware_.around(service_, &middleware_, &call, &next, &error);
    // An inner error that the middleware only passed on, or ignored, has its answer already.
    const bool is_passed_on = failure_ && (code == BENTO_OK || code == failure_->code());
    if (is_passed_on && out.has_nothing()) {
      if (failure_->answer.head.status >= 500) throw *failure_;
      return Outlet(from.channel).head(failure_->answer.head, failure_->answer.body, false);
    }
    try {
      check_plugin(code, error);
      out.expect_end(name_);
    } catch (const Error& own) {
      if (out.is_under_way()) throw;
      settle(own, RequestState::of(from.ctx), from.channel);
    }
  }

 private:
  static bento_code call_next(void* self, const bento_call* call, bento_error* error) {
    return detail::guard(error, [&] {
      Around& around = *static_cast<Around*>(self);
      if (std::exchange(around.is_next_called_, true)) misuse("next was called twice");
      try {
        around.next_.call(*call);
      } catch (const Failure& failure) {
        around.failure_ = failure;
        around.show(call->channel);
        throw;
      }
    });
  }

  // The failure may still get another answer. But its own answer passes through the channel that
  // the middleware handed on, like any answer, so that the middleware can see and change it.
  void show(bento_channel* channel) {
    Problem& answer = failure_->answer;
    auto draft = out_->draft([&] { Outlet(channel).head(answer.head, answer.body, false); });
    if (draft) answer = {std::move(draft->head), std::move(draft->body)};
  }

  void* service_;
  const bento_middleware& middleware_;
  App& next_;
  const std::string name_;
  PassingChannel* out_ = nullptr;
  bool is_next_called_ = false;
  std::optional<Failure> failure_;  // from inside
};

class Hooks : public App {
 public:
  // `is_streamed` says whether the handler of a method and a path takes the body as it arrives.
  using IsStreamed = std::function<bool(std::string_view method, std::string_view path)>;
  Hooks(void* service, const bento_middleware& middleware, App& next, IsStreamed is_streamed)
      : service_(service),
        middleware_(middleware),
        next_(next),
        is_streamed_(std::move(is_streamed)) {}

  void call(const bento_call& from) override {
    const SeenScope seen(RequestState::of(from.ctx), from.scope);
    Exchange exchange(from);
    PassingChannel out(from.channel);
    bento_call call = from;
    call.channel = out.abi();
    const End end(*this, exchange);
    try {
      run(call, exchange);
    } catch (const Failure&) {
      throw;
    } catch (const Error& error) {
      if (out.is_under_way()) throw;
      settle(error, RequestState::of(from.ctx), from.channel);
    }
  }

 private:
  // Calls on_end once, however the exchange ends.
  struct End {
    End(const Hooks& of, Exchange& e) : hooks(of), exchange(e) {}
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() { exchange.end(hooks.service_, hooks.middleware_); }
    const Hooks& hooks;
    Exchange& exchange;
  };

  // The inner app answers through this channel.
  class Inner : public PassingChannel {
   public:
    Inner(Hooks& hooks, Exchange& exchange, bento_channel* to)
        : PassingChannel(to), hooks_(hooks), exchange_(exchange) {}

    // Gives the inner app this whole body, in place of the one from outside.
    void give(std::string body) { body_ = std::move(body); }
    void rethrow_failure() const {
      if (failure_) std::rethrow_exception(failure_);
    }

   protected:
    void receive(bento_event& out) override {
      if (body_) {
        if (std::exchange(is_given_, true)) misuse("the body has ended");
        out.type = BENTO_REQUEST_BODY;
        out.more = 0;
        out.body = {body_->data(), body_->size()};
        return;
      }
      to_.receive(out);
      received_ += out.type == BENTO_REQUEST_BODY ? out.body.len : 0;
      exchange_.check_size(received_);
    }
    void on_head(AnswerHead head, std::string_view piece, bool more) override {
      exchange_.head = std::move(head);
      std::string body(piece);
      try {
        hooks_.show_response(exchange_, body, more);
      } catch (...) {
        failure_ = std::current_exception();
        throw;
      }
      to_.head(exchange_.head, body, more);
    }
    void on_piece(std::string_view piece, bool more) override {
      rethrow_failure();
      std::string body(piece);
      try {
        hooks_.call_hook(exchange_, Exchange::Phase::kBody, hooks_.middleware_.on_body, body, more);
      } catch (...) {
        failure_ = std::current_exception();
        throw;
      }
      to_.piece(body, more);
    }

   private:
    Hooks& hooks_;
    Exchange& exchange_;
    std::optional<std::string> body_;
    bool is_given_ = false;
    std::uint64_t received_ = 0;
    std::exception_ptr failure_;  // of a hook: fails the exchange, even if the inner app handles it
  };

  template <typename Hook>
  void call_hook(Exchange& exchange, Exchange::Phase phase, Hook hook, std::string& piece,
                 bool more) {
    if (hook != nullptr) exchange.call(phase, service_, middleware_, hook, piece, more);
  }
  // The response is in `exchange`, except its body or the first piece of it.
  void show_response(Exchange& exchange, std::string& body, bool more) {
    try {
      call_hook(exchange, Exchange::Phase::kResponse, middleware_.on_response, body, more);
    } catch (const Error& error) {
      throw Error(BENTO_INTERNAL, error.what());
    }
  }

  void run(const bento_call& from, Exchange& exchange) {
    Inner inner(*this, exchange, from.channel);
    exchange.is_streamed = is_streamed_(exchange.scope.method, exchange.scope.path);
    std::string body;
    if (!exchange.is_streamed) body = Outlet(from.channel).read_all();
    call_hook(exchange, Exchange::Phase::kRequest, middleware_.on_request, body, false);
    if (exchange.answered) {
      return Outlet(from.channel).head(exchange.answered->head, exchange.answered->body, false);
    }
    if (!exchange.is_streamed) inner.give(std::move(body));
    bento_call call = from;
    call.scope = exchange.scope.abi();
    call.channel = inner.abi();
    try {
      next_.call(call);
    } catch (Failure& failure) {
      inner.rethrow_failure();
      exchange.head = std::move(failure.answer.head);
      show_response(exchange, failure.answer.body, false);
      failure.answer.head = std::move(exchange.head);
      throw;
    }
    inner.rethrow_failure();
  }

  void* service_;
  const bento_middleware& middleware_;
  App& next_;
  const IsStreamed is_streamed_;
};

}  // namespace bento::testing::internal
