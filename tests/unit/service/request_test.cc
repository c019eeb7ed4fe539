#include "service/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "observe/sharded.h"

namespace bentohost::service {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class RequestTest : public testing::Test {
 protected:
  RequestTest() {
    exchange_.request().arrived = clock_.now();
    exchange_.request().query = "a=1";
  }

  TrackedExchange& tracked() {
    if (!tracked_) tracked_.emplace(deps_, exchange_).set_label(&label_);
    return *tracked_;
  }
  RequestContext& context() {
    if (!context_) context_.emplace(deps_, tracked(), tracked());
    return *context_;
  }
  std::string header(std::string_view name) const {
    for (const http::Header& header : exchange_.response().headers) {
      if (header.name == name) return header.value;
    }
    return "";
  }

  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  fakes::FakeExchange exchange_{"POST", "/classify", "[1]"};
  const RouteLabel label_{metrics_.route("/classify"), "/classify"};
  std::optional<TrackedExchange> tracked_;
  std::optional<RequestContext> context_;
};

TEST_F(RequestTest, TakesOverAClientsIdThatIsHarmless) {
  exchange_.request().headers = {{"x-request-id", "my-id_1.2"}};
  context().answer(http::Response::text(200, "ok"));
  EXPECT_EQ(header("X-Request-Id"), "my-id_1.2");
}

TEST_F(RequestTest, MakesAnIdInPlaceOfOneThatIsNot) {
  for (const std::string& id : {std::string(), std::string("a b"), std::string("a\"b"),
                                std::string("a\r\nSet-Cookie: x"), std::string(129, 'a')}) {
    exchange_.request().headers = {{"x-request-id", id}};
    const TrackedExchange tracked(deps_, exchange_);
    EXPECT_THAT(std::string(tracked.request_id()), MatchesRegex("[0-9a-f]{16}")) << id;
  }
}

TEST_F(RequestTest, MakesADifferentIdForEach) {
  const TrackedExchange a(deps_, exchange_), b(deps_, exchange_);
  EXPECT_NE(a.request_id(), b.request_id());
}

TEST_F(RequestTest, HasItsTimeFromItsArrivalOn) {
  deps_.timeout = 10s;
  EXPECT_EQ(tracked().deadline(), clock_.now() + 10s);
  clock_.advance(10s - 1ns);
  EXPECT_FALSE(context().cancelled());
  clock_.advance(1ns);
  EXPECT_TRUE(context().cancelled());
}

TEST_F(RequestTest, AnswersWithWhatTheHandlerSet) {
  EXPECT_TRUE(context().set_status(201).ok());
  EXPECT_TRUE(context().add_header("X-Model", "iris").ok());
  context().answer(http::Response::json(200, "[0]"));
  EXPECT_EQ(exchange_.response().status, 201);
  EXPECT_EQ(header("X-Model"), "iris");
}

TEST_F(RequestTest, DropsWhatTheHandlerSetWhenItFails) {
  EXPECT_TRUE(context().set_status(201).ok());
  EXPECT_TRUE(context().add_header("X-Model", "iris").ok());
  context().fail(Status(BENTO_NOT_FOUND, "no such flower"));
  EXPECT_EQ(exchange_.response().status, 404);
  EXPECT_EQ(header("X-Model"), "");
  EXPECT_THAT(exchange_.response().body, HasSubstr("no such flower"));
}

TEST_F(RequestTest, RefusesStatusesAndHeadersThatAreNone) {
  for (const std::uint32_t status : {0u, 101u, 199u, 600u})
    EXPECT_FALSE(context().set_status(status).ok());
  using Pair = std::pair<std::string, std::string>;
  for (const auto& [name, value] :
       {Pair{"", "x"}, Pair{"a b", "x"}, Pair{"a:", "x"}, Pair{"a\n", "x"}, Pair{"a", "x\r\ny"},
        Pair{"a", std::string("\0", 1)}, Pair{"a", "\x01"}, Pair{"a", "\x7f"}}) {
    const Status status = context().add_header(name, value);
    EXPECT_THAT(status.message(), HasSubstr("header \"" + name + "\": its ")) << value;
  }
}

TEST_F(RequestTest, AsksWhoeverIsNotAuthenticatedToBeSo) {
  context().fail(Status(BENTO_UNAUTHENTICATED, "who are you?"));
  EXPECT_EQ(exchange_.response().status, 401);
  EXPECT_EQ(header("WWW-Authenticate"), "Bearer");
}

TEST_F(RequestTest, AsksInTheHandlersOwnWay) {
  EXPECT_TRUE(context().add_header("www-authenticate", "Basic realm=\"iris\"").ok());
  context().fail(Status(BENTO_UNAUTHENTICATED, "who are you?"));
  EXPECT_EQ(header("www-authenticate"), "Basic realm=\"iris\"");
  EXPECT_EQ(header("WWW-Authenticate"), "");
}

TEST_F(RequestTest, Answers499ToNobodyThatListens) {
  context().fail(Status(BENTO_CANCELLED, "no more"));
  EXPECT_EQ(exchange_.response().status, 500);
}

TEST_F(RequestTest, TellsThatItWasCancelledByItsDeadline) {
  (void)tracked();
  clock_.advance(deps_.timeout);
  context().fail(Status(BENTO_CANCELLED, "no more"));
  EXPECT_EQ(exchange_.response().status, 504);
}

TEST_F(RequestTest, TellsThatItWasCancelledByTheEndOfTheServer) {
  deps_.draining = true;
  context().fail(Status(BENTO_CANCELLED, "no more"));
  EXPECT_EQ(exchange_.response().status, 503);
}

TEST_F(RequestTest, Logs499ForAClientThatHasLeft) {
  exchange_.is_cancelled->store(true);
  context().fail(Status(BENTO_CANCELLED, "no more"));
  EXPECT_EQ(exchange_.response().status, 499);
}

TEST_F(RequestTest, KeepsTheWordsOfA500ToTheLog) {
  testing::internal::CaptureStderr();
  context().fail(Status(BENTO_INTERNAL, "password is hunter2"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("password is hunter2 status=500 path=/classify request_id="));
  EXPECT_EQ(exchange_.response().status, 500);
  EXPECT_THAT(exchange_.response().body, Not(HasSubstr("hunter2")));
  EXPECT_THAT(exchange_.response().body, HasSubstr(std::string(context().request_id())));
}

TEST_F(RequestTest, TellsTheWordsOfA500WhenDebugging) {
  deps_.debug = true;
  context().fail(Status(BENTO_INTERNAL, "index 7 is out of range"));
  EXPECT_THAT(exchange_.response().body, HasSubstr("index 7 is out of range"));
}

TEST_F(RequestTest, TellsTheHostsWordsOfOther5xx) {
  context().fail(Status(BENTO_UNAVAILABLE, "runner clf is shutting down"));
  EXPECT_EQ(exchange_.response().status, 503);
  EXPECT_THAT(exchange_.response().body, HasSubstr("runner clf is shutting down"));
  EXPECT_EQ(header("Retry-After"), "1");
}

TEST_F(RequestTest, IsCountedWhenItIsAnswered) {
  context().fail(418, "teapot");
  EXPECT_EQ(metrics_.in_flight().value(), 0);
  EXPECT_THAT(metrics_.text(), HasSubstr("code=\"418\""));
}

TEST_F(RequestTest, TellsWhatItsPathHasForTheRoutesParameters) {
  http::RouteTable table;
  ASSERT_TRUE(table.add("POST", "/{first}", 0).ok());
  http::RouteMatch match;
  EXPECT_EQ(table.find("POST", exchange_.request().path, match), 0u);
  context().set_path_params(match.parameters);
  const bento_pairs params = context().scope()->path_params;
  ASSERT_EQ(params.len, 1u);
  EXPECT_EQ(to_view(params.ptr[0].name), "first");
  EXPECT_EQ(to_view(params.ptr[0].value), "classify");
  context().answer(http::Response::text(200, "ok"));
}

TEST_F(RequestTest, DescribesItselfToAPlugin) {
  exchange_.request().headers = {{"accept", "a"}, {"accept", "b"}};
  const bento_scope* scope = context().scope();
  EXPECT_EQ(scope, context().scope());
  EXPECT_EQ(scope->size, sizeof *scope);
  EXPECT_EQ(scope->kind, 1u);
  EXPECT_EQ(to_view(scope->scheme), "http");
  EXPECT_EQ(to_view(scope->method), "POST");
  EXPECT_EQ(to_view(scope->path), "/classify");
  EXPECT_EQ(to_view(scope->query), "a=1");
  EXPECT_EQ(to_view(scope->root_path), "");
  EXPECT_EQ(to_view(scope->client), "127.0.0.1:4711");
  EXPECT_EQ(to_view(scope->request_id), context().request_id());
  ASSERT_EQ(scope->headers.len, 2u);
  EXPECT_EQ(to_view(scope->headers.ptr[1].value), "b");
  EXPECT_EQ(scope->deadline_ns,
            static_cast<std::uint64_t>(tracked().deadline().time_since_epoch().count()));
}

}  // namespace
}  // namespace bentohost::service
