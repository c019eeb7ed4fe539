// MiddlewareTest: a service in the test's own process, with middleware made of the test's
// lambdas.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "observe/sharded.h"
#include "service/routing/dispatcher.h"

namespace bentohost::service {

// A middleware in hooks, or around, whose functions a test fills in.
struct FakeMiddleware {
  using Hook = std::function<bento_code(bento_exchange*, bento_error*)>;
  Hook on_request, on_response, on_body;
  std::function<void(bento_exchange*)> on_end;
  std::function<bento_code(const bento_call*, const bento_app*, bento_error*)> around;
  bento_middleware abi{};

  void fill(const char* name) {
    abi.size = sizeof abi;
    abi.name = to_bento(name);
    abi.user = this;
    if (around) {
      abi.around = [](void*, const bento_middleware* m, const bento_call* call,
                      const bento_app* next, bento_error* error) {
        return static_cast<FakeMiddleware*>(m->user)->around(call, next, error);
      };
      return;
    }
    if (on_request) {
      abi.on_request = [](void*, const bento_middleware* m, bento_exchange* e, bento_error* error) {
        return static_cast<FakeMiddleware*>(m->user)->on_request(e, error);
      };
    }
    if (on_response) {
      abi.on_response = [](void*, const bento_middleware* m, bento_exchange* e,
                           bento_error* error) {
        return static_cast<FakeMiddleware*>(m->user)->on_response(e, error);
      };
    }
    if (on_body) {
      abi.on_body = [](void*, const bento_middleware* m, bento_exchange* e, bento_error* error) {
        return static_cast<FakeMiddleware*>(m->user)->on_body(e, error);
      };
    }
    if (on_end) {
      abi.on_end = [](void*, const bento_middleware* m, bento_exchange* e) {
        static_cast<FakeMiddleware*>(m->user)->on_end(e);
      };
    }
  }
};

inline std::string text(bento_bytes bytes) {
  return {static_cast<const char*>(bytes.ptr), bytes.len};
}

inline bento_event start_event(std::uint32_t status) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_START;
  event.status = status;
  return event;
}

inline bento_event body_event(std::string_view body, bool more = false) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_BODY;
  event.more = more ? 1 : 0;
  event.body = {body.data(), body.size()};
  return event;
}

class MiddlewareTest : public testing::Test {
 protected:
  FakeMiddleware& add() { return middlewares_.emplace_back(); }

  Status serve(const std::string& prefix = "") {
    static const char* const kNames[] = {"first", "second", "third"};
    for (std::size_t i = 0; i < middlewares_.size(); ++i) {
      middlewares_[i].fill(kNames[i]);
      plugin_.middleware[i] = &middlewares_[i].abi;
    }
    plugin_.service.n_middleware = middlewares_.size();
    auto instance = plugin_.instance();
    if (!instance.ok()) return instance.status();
    service_ = fakes::start(*std::move(instance), prefix);
    return fakes::serve(dispatcher_, {service_});
  }
  http::Response ask(std::string method, std::string path, std::string body = {},
                     http::Headers headers = {}) {
    fakes::FakeExchange exchange(std::move(method), std::move(path), std::move(body));
    exchange.request().headers = std::move(headers);
    return ask(exchange);
  }
  http::Response ask(fakes::FakeExchange& exchange) {
    exchange.request().arrived = clock_.now();
    fakes::ask(dispatcher_, exchange);
    EXPECT_EQ(exchange.responses.size() + (exchange.started ? 1 : 0), 1u);
    EXPECT_EQ(metrics_.in_flight().value(), 0);
    EXPECT_EQ(deps_.slots, 0u);
    return exchange.started ? *exchange.started : exchange.response();
  }
  FakeMiddleware::Hook note(std::string what) {
    return [this, what](bento_exchange*, bento_error*) {
      steps_.push_back(what);
      return bento_code{BENTO_OK};
    };
  }
  static bento_code set_header(bento_exchange* e, const char* name, const char* value,
                               bento_error* error) {
    return e->set_response_header(e, to_bento(name), to_bento(value), error);
  }

  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  std::deque<FakeMiddleware> middlewares_;
  fakes::FakePlugin plugin_;
  std::shared_ptr<const LiveService> service_;
  Dispatcher dispatcher_{deps_};
  std::vector<std::string> steps_;
};

}  // namespace bentohost::service
