// The host's response in place of a late handler, as middleware in hooks sees it.
#include <future>
#include <optional>
#include <utility>

#include "unit/service/middleware_fixture.h"

namespace bentohost::service {
namespace {

// A handler on a thread, which returns when the test says so.
class LateHandlerTest : public MiddlewareTest {
 protected:
  LateHandlerTest() {
    deps_.threads = &threads_;
    plugin_.on_invoke = [this](bento_ctx*, const bento_value& in, bento_sink* sink,
                               bento_error* error) {
      begun_.set_value();
      end_.get_future().wait();
      return sink->value(sink, &in, error);
    };
  }
  // The host's response in the handler's place while it is at work.
  std::optional<http::Response> late_answer(fakes::FakeExchange& exchange) {
    exchange.request().arrived = clock_.now();
    fakes::ask(dispatcher_, exchange);
    begun_.get_future().wait();
    const auto late = std::exchange(exchange.late, nullptr);
    return late->late();
  }
  void end_handler() {
    end_.set_value();
    threads_.stop(SteadyClock().now() + std::chrono::seconds(10));
  }

 private:
  ThreadPool threads_{1, 1};
  std::promise<void> begun_, end_;
};

TEST_F(LateHandlerTest, ShowsHooksWhatIsAnsweredInPlaceOfALateHandlerAndNothingAfterIt) {
  FakeMiddleware& hook = add();
  hook.on_response = [this](bento_exchange* e, bento_error* error) {
    steps_.push_back(std::to_string(e->status));
    return set_header(e, "X-Hook", "was here", error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  const std::optional<http::Response> late = late_answer(exchange);
  end_handler();
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->status, 504);
  EXPECT_EQ(http::find_header(late->headers, "X-Hook"), "was here");
  EXPECT_EQ(exchange.responses.size(), 1u) << "the handler answers in vain";
  EXPECT_THAT(steps_, testing::ElementsAre("504"));
}

TEST_F(LateHandlerTest, ShowsHooksALateAnswerThoughTheHandlerReturnsMeanwhile) {
  FakeMiddleware& hook = add();
  bool has_returned = false;
  hook.on_response = [&](bento_exchange* e, bento_error* error) {
    if (!std::exchange(has_returned, true)) {  // the handler's objects are released
      end_handler();
    }
    return set_header(e, "X-Hook", "was here", error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  const std::optional<http::Response> late = late_answer(exchange);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(http::find_header(late->headers, "X-Hook"), "was here");
}

TEST_F(MiddlewareTest, ShowsHooksWhatIsRefusedEarlyAndPassesThoseThatWaitOver) {
  FakeMiddleware& around = add();
  around.around = [](const bento_call*, const bento_app*, bento_error*) {
    ADD_FAILURE() << "nothing waits for a refusal";
    return bento_code{BENTO_OK};
  };
  FakeMiddleware& hook = add();
  hook.on_request = note("request");
  hook.on_response = [](bento_exchange* e, bento_error* error) {
    return set_header(e, "X-Hook", "was here", error);
  };
  ASSERT_TRUE(serve().ok());
  deps_.max_in_flight = 0;
  for (const char* path : {"/echo", "/raw"}) {
    const http::Response overload = ask("POST", path);
    EXPECT_EQ(overload.status, 503);
    EXPECT_EQ(http::find_header(overload.headers, "Retry-After"), "1");
    EXPECT_EQ(http::find_header(overload.headers, "X-Hook"), "was here");
  }
  fakes::FakeExchange exchange("POST", "/nowhere");
  exchange.target = dispatcher_.plan(exchange.request()).target;
  dispatcher_.refuse(exchange, {Status::with_http(413, BENTO_INVALID_ARGUMENT, "large"), {}, "x"});
  EXPECT_EQ(exchange.response().status, 413);
  EXPECT_EQ(http::find_header(exchange.response().headers, "X-Hook"), "was here");
  EXPECT_THAT(steps_, testing::ElementsAre("request", "request", "request"));
}

}  // namespace
}  // namespace bentohost::service
