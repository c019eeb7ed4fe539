// Exchange: the bento_exchange of one middleware's hooks, which read and change a request and its
// response through it. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

class Exchange {
 public:
  enum class Phase { kRequest, kResponse, kBody, kEnd };

  explicit Exchange(const bento_call& call) : scope(*call.scope) {
    table_.self = this;
    bento_exchange& abi = table_.exchange;
    abi.size = sizeof abi;
    abi.ctx = call.ctx;
    abi.set = &set;
    abi.set_header = &set_header;
    abi.set_body = &set_body;
    abi.limit_body = &limit_body;
    abi.set_deadline = &set_deadline;
    abi.answer = &answer;
    abi.response_header = &response_header;
    abi.set_response_header = &set_response_header;
    abi.add_response_header = &add_response_header;
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Calls a hook with a piece of a body, which it may change.
  template <typename Hook>
  void call(Phase phase, void* service, const bento_middleware& middleware, Hook hook,
            std::string& piece, bool more) {
    phase_ = phase;
    body_ = &piece;
    bento_exchange& abi = table_.exchange;
    if (phase == Phase::kRequest) abi.scope = scope.abi();  // later, others hold views of it
    abi.status = head.status;
    abi.body = {piece.data(), piece.size()};
    abi.more = more ? 1 : 0;
    abi.streamed = is_streamed && phase == Phase::kRequest ? 1 : 0;
    bento_error error = detail::make_error();
    check_plugin(hook(service, &middleware, &abi, &error), error);
    if (phase != Phase::kResponse) return;
    check_status(abi.status);
    head.status = abi.status;
  }
  void end(void* service, const bento_middleware& middleware) {
    phase_ = Phase::kEnd;
    table_.exchange.scope = nullptr;
    table_.exchange.body = {};
    if (middleware.on_end != nullptr) middleware.on_end(service, &middleware, &table_.exchange);
  }

  // Throws 413 if a request's body is too large.
  void check_size(std::uint64_t size) const {
    if (size <= max_body) return;
    throw Error(BENTO_INVALID_ARGUMENT,
                "the body is larger than " + std::to_string(max_body) + " bytes", 413);
  }

  Scope scope;  // the request as it is passed on
  bool is_streamed = false;
  std::uint64_t max_body = std::numeric_limits<std::uint64_t>::max();
  struct Answered {
    AnswerHead head;
    std::string body;
  };
  std::optional<Answered> answered;
  AnswerHead head;  // of the response

 private:
  struct Table {
    bento_exchange exchange{};  // first: has the table's address
    Exchange* self = nullptr;
  };
  template <typename F>
  static bento_code in_phase(bento_exchange* exchange, Phase phase, bento_error* error, F&& f) {
    return detail::guard(error, [&] {
      Exchange& self = *reinterpret_cast<Table*>(exchange)->self;
      if (self.phase_ != phase) {
        misuse(phase == Phase::kRequest ? "this is for on_request" : "this is for on_response");
      }
      f(self);
    });
  }

  static bento_code set(bento_exchange* exchange, bento_str what, bento_str value,
                        bento_error* error) {
    return in_phase(exchange, Phase::kRequest, error, [&](Exchange& self) {
      const std::pair<std::string_view, std::string*> known[] = {{"method", &self.scope.method},
                                                                 {"path", &self.scope.path},
                                                                 {"query", &self.scope.query},
                                                                 {"scheme", &self.scope.scheme},
                                                                 {"client", &self.scope.client}};
      check_value(detail::view(what), detail::view(value));
      for (const auto& [name, text] : known) {
        if (name != detail::view(what)) continue;
        *text = detail::view(value);
        exchange->scope = self.scope.abi();
        return;
      }
      misuse("a request has no \"" + std::string(detail::view(what)) + "\"");
    });
  }
  static bento_code set_header(bento_exchange* exchange, bento_str name, bento_str value,
                               bento_error* error) {
    return in_phase(exchange, Phase::kRequest, error, [&](Exchange& self) {
      std::string lower(detail::view(name));
      std::transform(lower.begin(), lower.end(), lower.begin(), detail::lower);
      change(self.scope.headers, lower, value);
      exchange->scope = self.scope.abi();
    });
  }
  static bento_code set_body(bento_exchange* exchange, bento_bytes bytes, bento_error* error) {
    return detail::guard(error, [&] {
      Exchange& self = *reinterpret_cast<Table*>(exchange)->self;
      if (self.phase_ == Phase::kEnd) misuse("there is no body in on_end");
      if (self.phase_ == Phase::kRequest && self.is_streamed) misuse("the body is streamed");
      self.body_->assign(static_cast<const char*>(bytes.ptr), bytes.len);
      exchange->body = {self.body_->data(), self.body_->size()};
    });
  }
  static bento_code limit_body(bento_exchange* exchange, std::uint64_t bytes, bento_error* error) {
    return in_phase(exchange, Phase::kRequest, error, [&](Exchange& self) {
      self.max_body = std::min(self.max_body, bytes);
      self.check_size(self.body_->size());
    });
  }
  static bento_code set_deadline(bento_exchange* exchange, std::uint64_t deadline_ns,
                                 bento_error* error) {
    return in_phase(exchange, Phase::kRequest, error, [&](Exchange& self) {
      self.scope.deadline_ns = std::min(self.scope.deadline_ns, deadline_ns);
      exchange->scope = self.scope.abi();
    });
  }
  static bento_code answer(bento_exchange* exchange, const bento_event* event, bento_error* error) {
    return in_phase(exchange, Phase::kRequest, error, [&](Exchange& self) {
      if (self.answered) misuse("it was answered already");
      check_status(event->status);
      for (std::size_t i = 0; i < event->headers.len; ++i) {
        check_header(detail::view(event->headers.ptr[i].name),
                     detail::view(event->headers.ptr[i].value));
      }
      self.answered = {{event->status, Headers(event->headers)}, std::string(body_of(*event))};
    });
  }
  static bento_str response_header(bento_exchange* exchange, bento_str name, std::size_t nth) {
    const Exchange& self = *reinterpret_cast<Table*>(exchange)->self;
    if (self.phase_ != Phase::kResponse) return {};
    for (const auto& [its_name, value] : self.head.headers) {
      if (!detail::same_name(its_name, detail::view(name))) continue;
      if (nth-- == 0) return detail::str(value);
    }
    return {};
  }
  static bento_code set_response_header(bento_exchange* exchange, bento_str name, bento_str value,
                                        bento_error* error) {
    return in_phase(exchange, Phase::kResponse, error,
                    [&](Exchange& self) { change(self.head.headers, detail::view(name), value); });
  }
  static bento_code add_response_header(bento_exchange* exchange, bento_str name, bento_str value,
                                        bento_error* error) {
    return in_phase(exchange, Phase::kResponse, error, [&](Exchange& self) {
      check_header(detail::view(name), detail::view(value));
      self.head.headers.add(detail::view(name), detail::view(value));
    });
  }
  static void check_value(std::string_view what, std::string_view value) {
    if (what == "path" && !value.starts_with('/')) {
      misuse("a path must begin with /");
    }
    if (what == "scheme" && value != "http" && value != "https") {
      misuse("a scheme must be http or https");
    }
  }
  static void change(Headers& headers, std::string_view name, bento_str value) {
    check_header(name, detail::view(value));
    headers.remove(name);
    if (value.ptr != nullptr) headers.add(name, detail::view(value));
  }

  Phase phase_ = Phase::kRequest;
  std::string* body_ = nullptr;
  Table table_;
};

}  // namespace bento::testing::internal
