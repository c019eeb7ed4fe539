// Middleware that may wait, around a service, as the dispatcher runs it.
#include "unit/service/middleware_fixture.h"

namespace bentohost::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(MiddlewareTest, PassesThroughOneThatIsAround) {
  add().around = [this](const bento_call* call, const bento_app* next, bento_error* error) {
    steps_.emplace_back("before");
    const bento_code code = next->call(next->self, call, error);
    steps_.emplace_back("after");
    EXPECT_EQ(to_view(call->scope->path), "/echo") << "still there";
    return code;
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_TRUE(dispatcher_.plan(fakes::FakeExchange("POST", "/echo").request()).streamed);
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_THAT(steps_, ElementsAre("before", "after"));
}

TEST_F(MiddlewareTest, RunsOneThatIsAroundBetweenHooks) {
  FakeMiddleware& outer = add();
  outer.on_request = note("outer request");
  outer.on_response = note("outer response");
  add().around = [this](const bento_call* call, const bento_app* next, bento_error* error) {
    steps_.emplace_back("around");
    return next->call(next->self, call, error);
  };
  FakeMiddleware& inner = add();
  inner.on_request = note("inner request");
  inner.on_response = note("inner response");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").body, "hello");
  EXPECT_THAT(steps_, ElementsAre("outer request", "around", "inner request", "inner response",
                                  "outer response"));
}

TEST_F(MiddlewareTest, RoutesAnewWhatOneThatIsAroundHasChanged) {
  add().around = [](const bento_call* call, const bento_app* next, bento_error* error) {
    bento_scope scope = *call->scope;
    scope.path = to_bento("/echo");
    bento_call changed = *call;
    changed.scope = &scope;
    return next->call(next->self, &changed, error);
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/elsewhere", "hello").body, "hello");
  EXPECT_THAT(metrics_.text(), HasSubstr("route=\"/echo\""));
}

TEST_F(MiddlewareTest, LetsOneThatIsAroundAnswerByItself) {
  add().around = [](const bento_call* call, const bento_app*, bento_error* error) {
    const bento_event start = start_event(418), body = body_event("tea");
    EXPECT_EQ(call->channel->send(call->channel, &start, error), BENTO_OK);
    return call->channel->send(call->channel, &body, error);
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 418);
  EXPECT_EQ(response.body, "tea");
}

TEST_F(MiddlewareTest, GivesOneThatIsAroundTheErrorsFromInside) {
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_INTERNAL, "broken").give(error);
  };
  std::string caught;
  bool answers = true;
  add().around = [&](const bento_call* call, const bento_app* next, bento_error* error) {
    const bento_code code = next->call(next->self, call, error);
    EXPECT_EQ(code, BENTO_INTERNAL);
    caught = error->message;
    if (!answers) return code;
    const bento_event start = start_event(200), body = body_event("mended");
    EXPECT_EQ(call->channel->send(call->channel, &start, error), BENTO_OK);
    return call->channel->send(call->channel, &body, error);
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").body, "mended");
  EXPECT_THAT(caught, HasSubstr("broken"));
  answers = false;
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
}

// A channel around the one of `call`, with which a middleware sees the response: it adds a header
// to each head, and records the status.
struct SeeingChannel {
  explicit SeeingChannel(const bento_call* from) : outer(from->channel), call(*from) {
    channel.size = sizeof channel;
    channel.receive = [](bento_channel* self, bento_event* event, bento_error* error) {
      bento_channel* to = reinterpret_cast<SeeingChannel*>(self)->outer;
      return to->receive(to, event, error);
    };
    channel.send = [](bento_channel* self, const bento_event* event, bento_error* error) {
      return reinterpret_cast<SeeingChannel*>(self)->send(*event, error);
    };
    call.channel = &channel;
  }
  bento_code send(bento_event event, bento_error* error) {
    std::vector<bento_pair> headers(event.headers.ptr, event.headers.ptr + event.headers.len);
    if (event.type == BENTO_RESPONSE_START) {
      seen.push_back(event.status);
      if (becomes != 0) event.status = becomes;
      headers.push_back({to_bento("X-Seen"), to_bento("yes")});
      event.headers = {headers.data(), headers.size()};
    }
    return outer->send(outer, &event, error);
  }

  bento_channel channel{};  // first: its address is the struct's
  bento_channel* outer;
  bento_call call;
  std::uint32_t becomes = 0;
  std::vector<std::uint32_t> seen;
};

std::string header_of(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

TEST_F(MiddlewareTest, ShowsOneThatIsAroundThe5xxFromInside) {
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_UNAVAILABLE, "no worker").give(error);
  };
  std::vector<std::uint32_t> seen;
  const auto around = [&](const bento_call* call, const bento_app* next, bento_error* error) {
    SeeingChannel channel(call);
    const bento_code code = next->call(next->self, &channel.call, error);
    EXPECT_EQ(code, BENTO_UNAVAILABLE) << "it may still be answered";
    seen.insert(seen.end(), channel.seen.begin(), channel.seen.end());
    return code;
  };
  add().around = around;
  add().around = around;
  FakeMiddleware& hooked = add();
  hooked.on_response = [&](bento_exchange* e, bento_error*) {
    EXPECT_EQ(e->status, 503u);
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("no worker"));
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(header_of(response, "Retry-After"), "1");
  EXPECT_EQ(header_of(response, "X-Seen"), "yes");
  EXPECT_THAT(seen, ElementsAre(503u, 503u)) << "once for each middleware";
}

TEST_F(MiddlewareTest, SendsThe5xxThatOneAroundHasSeenAndKeepsQuietAbout) {
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_INTERNAL, "broken").give(error);
  };
  std::uint32_t becomes = 0;
  add().around = [&](const bento_call* call, const bento_app* next, bento_error*) {
    SeeingChannel channel(call);
    channel.becomes = becomes;
    bento_error ignored{};
    ignored.size = sizeof ignored;
    EXPECT_EQ(next->call(next->self, &channel.call, &ignored), BENTO_INTERNAL);
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
  EXPECT_EQ(header_of(ask("POST", "/echo", "hello"), "X-Seen"), "yes");
  becomes = 404;
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 404);
}

TEST_F(MiddlewareTest, LetsOneAroundAnswerInPlaceOfThe5xxThatItHasSeen) {
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_INTERNAL, "broken").give(error);
  };
  add().around = [&](const bento_call* call, const bento_app* next, bento_error* error) {
    SeeingChannel channel(call);
    EXPECT_EQ(next->call(next->self, &channel.call, error), BENTO_INTERNAL);
    const bento_event start = start_event(200), body = body_event("mended");
    EXPECT_EQ(call->channel->send(call->channel, &start, error), BENTO_OK);
    return call->channel->send(call->channel, &body, error);
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "mended");
  EXPECT_EQ(header_of(response, "X-Seen"), "");
}

TEST_F(MiddlewareTest, AnswersWithTheErrorThatOneAroundPutsInPlaceOfTheOneFromInside) {
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_INTERNAL, "broken").give(error);
  };
  add().around = [](const bento_call* call, const bento_app* next, bento_error* error) {
    (void)next->call(next->self, call, error);
    return Status(BENTO_UNAVAILABLE, "try later").give(error);
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("try later"));
}

TEST_F(MiddlewareTest, TakesHeadersOfAnyCaseFromOneThatIsAroundAndRefusesWhatIsNone) {
  std::string name = "X-User", path = "/echo";
  add().around = [&](const bento_call* call, const bento_app* next, bento_error* error) {
    const bento_pair header{to_bento(name), to_bento("me")};
    bento_scope scope = *call->scope;
    scope.headers = {&header, 1};
    scope.path = to_bento(path);
    bento_call changed = *call;
    changed.scope = &scope;
    return next->call(next->self, &changed, error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [this](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                             bento_error* error) {
    EXPECT_EQ(to_view(plugin_.host->scope(ctx)->headers.ptr[0].name), "x-user");
    return sink->value(sink, &in, error);
  };
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 200);
  path = "echo";
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
  path = "/echo";
  name = "no name";
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
}

TEST_F(MiddlewareTest, BringsTheDeadlineForwardInsideOfOneThatIsAround) {
  const TimePoint sooner = clock_.now() + std::chrono::seconds(1);
  std::uint64_t deadline = static_cast<std::uint64_t>(sooner.time_since_epoch().count());
  add().around = [&](const bento_call* call, const bento_app* next, bento_error* error) {
    bento_scope scope = *call->scope;
    scope.deadline_ns = deadline;
    bento_call changed = *call;
    changed.scope = &scope;
    return next->call(next->self, &changed, error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/echo", "x"), none("POST", "/echo", "x");
  ask(exchange);
  EXPECT_EQ(exchange.late_at, sooner + TrackedExchange::kLateGrace);
  deadline = UINT64_MAX;
  ask(none);
  EXPECT_EQ(none.late_at, clock_.now() + deps_.timeout + TrackedExchange::kLateGrace);
}

TEST_F(MiddlewareTest, StreamsThroughOneThatIsAround) {
  add().around = [](const bento_call* call, const bento_app* next, bento_error* error) {
    return next->call(next->self, call, error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    bento_event received{};
    received.size = sizeof received;
    EXPECT_EQ(call.channel->receive(call.channel, &received, error), BENTO_OK);
    EXPECT_EQ(text(received.body), "question");
    for (const bento_event& event : {start_event(200), body_event("a", true), body_event("b")}) {
      EXPECT_EQ(call.channel->send(call.channel, &event, error), BENTO_OK);
    }
    return bento_code{BENTO_OK};
  };
  fakes::FakeExchange exchange("POST", "/raw", "question");
  EXPECT_EQ(ask(exchange).body, "ab");
  EXPECT_TRUE(exchange.is_complete);
}

TEST_F(MiddlewareTest, Answers500ToMisuseAndNamesThePlugin) {
  using Around = std::function<bento_code(const bento_call*, const bento_app*, bento_error*)>;
  const std::vector<std::pair<Around, std::string>> misuses = {
      {[](const bento_call*, const bento_app*, bento_error*) { return bento_code{BENTO_OK}; },
       "middleware first of fake returned without an answer"},
      {[](const bento_call* call, const bento_app* next, bento_error* error) {
         bento_error ignored{};
         ignored.size = sizeof ignored;
         const bento_event start = start_event(200);
         (void)call->channel->send(call->channel, &start, &ignored);
         (void)call->channel->send(call->channel, &start, &ignored);
         (void)next;
         (void)error;
         return bento_code{BENTO_OK};
       },
       "middleware first of fake: the response was already started"},
      {[](const bento_call* call, const bento_app*, bento_error* error) {
         const bento_event body = body_event("early");
         return call->channel->send(call->channel, &body, error);
       },
       "middleware first of fake: a body before the response was started"},
      {[](const bento_call*, const bento_app*, bento_error* error) {
         return Status(BENTO_INTERNAL, "it threw").give(error);
       },
       "middleware first of fake: it threw"},
  };
  FakeMiddleware& one = add();
  one.around = misuses[0].first;
  ASSERT_TRUE(serve().ok());
  for (const auto& [around, complaint] : misuses) {
    one.around = around;
    testing::internal::CaptureStderr();
    EXPECT_EQ(ask("POST", "/echo", "hello").status, 500) << complaint;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(complaint));
  }
}

TEST_F(MiddlewareTest, CallsNextOnceOnly) {
  add().around = [](const bento_call* call, const bento_app* next, bento_error* error) {
    EXPECT_EQ(next->call(next->self, call, error), BENTO_OK);
    EXPECT_EQ(next->call(next->self, call, error), BENTO_FAILED_PRECONDITION);
    EXPECT_STREQ(error->message, "next was called twice");
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").body, "hello");
}

TEST_F(MiddlewareTest, RefusesAMiddlewareOfBothFormsOrOfNone) {
  add();
  EXPECT_THAT(serve().message(),
              HasSubstr("middleware first: it must have either around or hooks"));
}

}  // namespace
}  // namespace bentohost::service
