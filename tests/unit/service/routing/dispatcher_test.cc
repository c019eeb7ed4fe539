// The dispatcher and its endpoints, with a plugin in the test's own process. (Direct APIs, which
// call runners, are in the end-to-end tests.)
#include "service/routing/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "observe/sharded.h"

namespace bentohost::service {
namespace {

using testing::HasSubstr;
using testing::Not;

class DispatcherTest : public testing::Test {
 protected:
  // Serves the plugin behind `prefix`.
  Status serve(const std::string& prefix = "") {
    auto instance = plugin_.instance();
    EXPECT_TRUE(instance.ok()) << instance.status().message();
    service_ = fakes::start(*std::move(instance), prefix);
    return fakes::serve(dispatcher_, {service_});
  }

  http::Response ask(std::string method, std::string path, std::string body = {}) {
    fakes::FakeExchange exchange(std::move(method), std::move(path), std::move(body));
    exchange.request().arrived = clock_.now();
    fakes::ask(dispatcher_, exchange);
    EXPECT_EQ(exchange.responses.size(), 1u);
    EXPECT_EQ(metrics_.in_flight().value(), 0);
    EXPECT_EQ(deps_.slots, 0u);
    return exchange.response();
  }

  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  fakes::FakePlugin plugin_;
  std::shared_ptr<const LiveService> service_;
  Dispatcher dispatcher_{deps_};
};

TEST_F(DispatcherTest, SaysThatItLives) {
  for (const char* path : {"/livez", "/healthz"}) {
    EXPECT_EQ(ask("GET", path).status, 200);
    EXPECT_EQ(ask("HEAD", path).status, 200);
  }
}

TEST_F(DispatcherTest, IsReadyFromItsStartUntilItDrains) {
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  dispatcher_.set_started();
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  deps_.draining = true;
  const http::Response response = ask("GET", "/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("shutting down"));
  EXPECT_EQ(ask("GET", "/livez").status, 200);
}

TEST_F(DispatcherTest, ShowsItsMetrics) {
  ask("GET", "/nowhere");
  const http::Response response = ask("GET", "/metrics");
  EXPECT_EQ(response.content_type, observe::kMetricsContentType);
  EXPECT_THAT(response.body, HasSubstr("route=\"__unmatched__\""));
  EXPECT_THAT(response.body, Not(HasSubstr("nowhere")));
}

TEST_F(DispatcherTest, KnowsWhatItHasNot) {
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("GET", "/nowhere").status, 404);
  const http::Response response = ask("GET", "/echo");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(http::find_header(response.headers, "Allow"), "POST, OPTIONS");
}

TEST_F(DispatcherTest, TellsOptionsOfAKnownPathWhatItAllows) {
  ASSERT_TRUE(serve().ok());
  for (const auto& [path, allow] :
       {std::pair{"/echo", "POST, OPTIONS"}, std::pair{"/livez", "GET, HEAD, OPTIONS"},
        std::pair{"*", "GET, HEAD, POST, OPTIONS"}}) {
    const http::Response response = ask("OPTIONS", path);
    EXPECT_EQ(response.status, 204) << path;
    EXPECT_EQ(http::find_header(response.headers, "Allow"), allow);
    EXPECT_EQ(response.content_type + response.body, "");
  }
  EXPECT_EQ(ask("OPTIONS", "/nowhere").status, 404);
}

TEST_F(DispatcherTest, RoutesATemplateAndCountsItAsOne) {
  plugin_.echo.route = to_bento("/v1/models/{model}:echo");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/v1/models/iris:echo", "a").body, "a");
  EXPECT_EQ(ask("POST", "/v1/models/cars:echo", "b").body, "b");
  EXPECT_EQ(ask("GET", "/v1/models/cars:echo").status, 405);
  EXPECT_THAT(metrics_.text(), HasSubstr("route=\"/v1/models/{model}:echo\""));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("iris")));
}

TEST_F(DispatcherTest, GivesAHandlerWhatThePathHasForItsParameters) {
  plugin_.echo.route = to_bento("/v1/models/{model}:echo");
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [this](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                             bento_error* error) {
    const bento_pairs params = plugin_.host->scope(ctx)->path_params;
    EXPECT_EQ(params.len, 1u);
    EXPECT_EQ(to_view(params.ptr[0].name), "model");
    EXPECT_EQ(to_view(params.ptr[0].value), "iris");
    return sink->value(sink, &in, error);
  };
  EXPECT_EQ(ask("POST", "/v1/models/iris:echo", "a").status, 200);
}

TEST_F(DispatcherTest, AnswersTheMethodOfAnApiAndHeadForGet) {
  plugin_.echo.route = plugin_.raw.route = to_bento("/same");
  plugin_.echo.http_method = to_bento("GET");
  plugin_.raw.http_method = to_bento("PUT");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("GET", "/same").status, 200);
  EXPECT_EQ(ask("HEAD", "/same").status, 200);
  EXPECT_EQ(ask("PUT", "/same").status, 500) << "the raw one, which says nothing";
  const http::Response response = ask("POST", "/same");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(http::find_header(response.headers, "Allow"), "GET, HEAD, PUT, OPTIONS");
}

TEST_F(DispatcherTest, TakesAnApisOwnLimitOfTheBody) {
  plugin_.raw.max_body = 7;
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange raw("POST", "/raw"), echo("POST", "/echo");
  EXPECT_EQ(dispatcher_.plan(raw.request()).max_body, 7u);
  EXPECT_TRUE(dispatcher_.plan(raw.request()).streamed);
  EXPECT_EQ(dispatcher_.plan(echo.request()).max_body, 0u);
}

TEST_F(DispatcherTest, CallsAQuickHandlerAtOnceAndOthersOnAThread) {
  ThreadPool threads(1, 1);
  deps_.threads = &threads;
  std::promise<std::thread::id> caller;
  plugin_.on_invoke = [&](bento_ctx*, const bento_value& in, bento_sink* sink, bento_error* error) {
    caller.set_value(std::this_thread::get_id());
    return sink->value(sink, &in, error);
  };
  plugin_.echo.flags = BENTO_API_QUICK;
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").body, "hello");
  EXPECT_EQ(caller.get_future().get(), std::this_thread::get_id());

  // A large body is still decoded on a thread.
  caller = {};
  fakes::FakeExchange exchange("POST", "/echo", std::string(1u << 20, 'x'));
  exchange.request().arrived = clock_.now();
  fakes::ask(dispatcher_, exchange);
  EXPECT_NE(caller.get_future().get(), std::this_thread::get_id());
  threads.stop(kNoDeadline);
  EXPECT_EQ(exchange.response().body.size(), 1u << 20);
}

TEST_F(DispatcherTest, CallsNoHandlerOfARequestThatIsOver) {
  ThreadPool threads(1, 1);
  deps_.threads = &threads;
  int calls = 0;
  plugin_.on_invoke = [&](bento_ctx*, const bento_value& in, bento_sink* sink, bento_error* error) {
    ++calls;
    return sink->value(sink, &in, error);
  };
  ASSERT_TRUE(serve().ok());
  std::latch release(1);
  threads.run([&release] { release.wait(); });
  fakes::FakeExchange late("POST", "/echo", "late"), gone("POST", "/echo", "gone"),
      in_time("POST", "/echo", "in time");
  for (fakes::FakeExchange* exchange : {&late, &gone, &in_time}) {
    exchange->request().arrived = clock_.now();
    if (exchange == &late) exchange->request().arrived -= deps_.timeout;
    fakes::ask(dispatcher_, *exchange);
  }
  gone.is_cancelled->store(true);
  release.count_down();
  std::latch all(1);
  threads.run([&all] { all.count_down(); });
  all.wait();
  threads.stop(kNoDeadline);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(late.response().status, 504);
  EXPECT_THAT(late.response().body, HasSubstr("no thread was free before"));
  EXPECT_EQ(in_time.response().body, "in time");
  EXPECT_EQ(deps_.slots, 0u);
  EXPECT_EQ(deps_.unanswered, 0u);
}

TEST_F(DispatcherTest, KeepsTheSlotOfARequestUntilItsHandlerHasReturned) {
  ThreadPool threads(1, 1);
  deps_.threads = &threads;
  deps_.max_in_flight = 1;
  std::latch begun(1), release(1);
  plugin_.on_invoke = [&](bento_ctx*, const bento_value& in, bento_sink* sink, bento_error* error) {
    begun.count_down();
    release.wait();
    return sink->value(sink, &in, error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange hangs("POST", "/echo", "x");
  hangs.request().arrived = clock_.now();
  fakes::ask(dispatcher_, hangs);
  begun.wait();
  EXPECT_EQ(hangs.late_at, clock_.now() + deps_.timeout + TrackedExchange::kLateGrace);
  clock_.advance(deps_.timeout);
  ASSERT_TRUE(hangs.late->late().has_value());
  EXPECT_EQ(deps_.unanswered, 0u);
  EXPECT_EQ(deps_.slots, 1u);
  fakes::FakeExchange other("POST", "/echo", "x");
  other.request().arrived = clock_.now();
  fakes::ask(dispatcher_, other);
  EXPECT_EQ(other.response().status, 503);
  release.count_down();
  threads.stop(kNoDeadline);
  EXPECT_EQ(deps_.slots, 0u);
}

TEST_F(DispatcherTest, LetsAQuickHandlerCallNoRunner) {
  plugin_.echo.flags = BENTO_API_QUICK;
  ASSERT_TRUE(serve().ok());
  std::string refusal;
  plugin_.on_invoke = [&](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                          bento_error* error) {
    bento_ticket* ticket = nullptr;
    const bento_value* inputs[] = {&in};
    EXPECT_EQ(
        plugin_.host->submit(ctx, to_bento("iris"), to_bento("predict"), inputs, 1, &ticket, error),
        BENTO_FAILED_PRECONDITION);
    refusal = error->message;
    return sink->value(sink, &in, error);
  };
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 200);
  EXPECT_EQ(refusal, "a quick handler or a hook cannot call runners: iris.predict");
}

TEST_F(DispatcherTest, PutsAServiceBehindItsPrefix) {
  ASSERT_TRUE(serve("/v1").ok());
  EXPECT_EQ(ask("POST", "/echo").status, 404);
  EXPECT_EQ(ask("POST", "/v1/echo", "hello").body, "hello");
}

TEST_F(DispatcherTest, RefusesTwoServicesOnOneRoute) {
  ASSERT_TRUE(serve().ok());
  const auto first = std::move(service_);
  ASSERT_TRUE(serve().ok());
  const Status status = fakes::serve(dispatcher_, {first, service_});
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_THAT(status.message(), HasSubstr("POST /echo is asked for by api fake.echo"));
  EXPECT_THAT(status.message(), HasSubstr("--plugin /PREFIX=LIBRARY"));
}

TEST_F(DispatcherTest, RefusesTwoServicesOnTemplatesOfOneShape) {
  plugin_.echo.route = to_bento("/models/{model}");
  ASSERT_TRUE(serve().ok());
  const auto first = std::move(service_);
  plugin_.echo.route = to_bento("/models/{name}");
  ASSERT_TRUE(serve().ok());
  EXPECT_THAT(fakes::serve(dispatcher_, {first, service_}).message(),
              HasSubstr("POST /models/{name} is asked for by api fake.echo and "
                        "by api fake.echo"));
}

TEST_F(DispatcherTest, TakesNoNewWorkWhileDraining) {
  ASSERT_TRUE(serve().ok());
  deps_.draining = true;
  EXPECT_EQ(ask("POST", "/echo", "x").status, 503);
}

TEST_F(DispatcherTest, AnswersWhatAHandlerReturns) {
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [this](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                             bento_error* error) {
    EXPECT_EQ(deps_.slots, 1u);
    EXPECT_EQ(plugin_.host->set_status(ctx, 202, error), BENTO_OK);
    return sink->value(sink, &in, error);
  };
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, "hello");
}

TEST_F(DispatcherTest, AnswersWhatAHandlerFailsWith) {
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status::with_http(409, BENTO_FAILED_PRECONDITION, "not now").give(error);
  };
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 409);
  EXPECT_THAT(response.body, HasSubstr("not now"));
}

TEST_F(DispatcherTest, AnswersAHandlerThatReturnsNothingWith500) {
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error*) {
    return bento_code{BENTO_OK};
  };
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
}

TEST_F(DispatcherTest, DoesNotCallAHandlerWithWhatCannotBeRead) {
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error*) {
    ADD_FAILURE();
    return bento_code{BENTO_OK};
  };
  EXPECT_EQ(ask("POST", "/echo", "\xff").status, 400);
}

TEST_F(DispatcherTest, LetsARawApiHaveTheExchange) {
  ASSERT_TRUE(serve("/p").ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    EXPECT_EQ(to_view(call.scope->root_path), "/p");
    EXPECT_EQ(to_view(call.scope->path), "/p/raw");
    bento_event event{};
    event.size = sizeof event;
    EXPECT_EQ(call.channel->receive(call.channel, &event, error), BENTO_OK);
    const bento_bytes body = event.body;
    event = {};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_START;
    event.status = 203;
    EXPECT_EQ(call.channel->send(call.channel, &event, error), BENTO_OK);
    event.type = BENTO_RESPONSE_BODY;
    event.body = body;
    return call.channel->send(call.channel, &event, error);
  };
  const http::Response response = ask("POST", "/p/raw", "abc");
  EXPECT_EQ(response.status, 203);
  EXPECT_EQ(response.body, "abc");
}

TEST_F(DispatcherTest, AnswersARawApiThatSaysNothingWith500) {
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/raw").status, 500);
}

TEST_F(DispatcherTest, AnswersWhatTheFrontRefusesWithAnIdAndCountsIt) {
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/echo");
  exchange.target = dispatcher_.plan(exchange.request()).target;
  dispatcher_.refuse(exchange, {Status::with_http(415, BENTO_INVALID_ARGUMENT, "no such coding"),
                                {{"Accept-Encoding", "gzip"}},
                                "other"});
  const http::Response response = exchange.response();
  EXPECT_EQ(response.status, 415);
  EXPECT_EQ(http::find_header(response.headers, "Accept-Encoding"), "gzip");
  const std::string_view id = http::find_header(response.headers, "X-Request-Id");
  EXPECT_EQ(id.size(), 16u);
  EXPECT_THAT(response.body, HasSubstr("\"detail\":\"no such coding\",\"instance\":\"/echo\""));
  EXPECT_THAT(response.body, HasSubstr(std::string("\"request_id\":\"") + std::string(id)));
  EXPECT_THAT(metrics_.text(), HasSubstr("code=\"415\",method=\"POST\",route=\"/echo\""));
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_http_rejected_total{reason=\"other\"} 1"));
  EXPECT_EQ(metrics_.in_flight().value(), 0);
}

TEST_F(DispatcherTest, RefusesWhatIsNoRequestWithAnIdAlone) {
  fakes::FakeExchange exchange("", "");
  dispatcher_.refuse(exchange, {Status::with_http(431, BENTO_INVALID_ARGUMENT, "large"), {}, "x"});
  EXPECT_EQ(exchange.response().status, 431);
  EXPECT_EQ(http::find_header(exchange.response().headers, "X-Request-Id").size(), 16u);
  EXPECT_THAT(metrics_.text(), HasSubstr("route=\"__unmatched__\""));
}

TEST_F(DispatcherTest, CountsTheBytesOfABodyAsTheyWereSentAndNoneThatWereNot) {
  plugin_.echo.http_method = to_bento("GET");
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("HEAD", "/echo", "abc");
  exchange.sent = 1000;
  fakes::ask(dispatcher_, exchange);
  EXPECT_EQ(exchange.response().body, "abc") << "for the front to leave out";
  EXPECT_THAT(metrics_.text(),
              HasSubstr("request_size_bytes_sum{method=\"HEAD\",route=\"/echo\"} 1000"));
  EXPECT_THAT(metrics_.text(),
              HasSubstr("response_size_bytes_sum{method=\"HEAD\",route=\"/echo\"} 0"));
}

}  // namespace
}  // namespace bentohost::service
