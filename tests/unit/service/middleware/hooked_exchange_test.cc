// Middleware in hooks around a service's APIs, pages and errors, as the dispatcher runs it.

#include "unit/service/middleware_fixture.h"

namespace bentohost::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(MiddlewareTest, RunsHooksFromTheOutsideInAndBack) {
  for (const char* name : {"a", "b", "c"}) {
    FakeMiddleware& one = add();
    one.on_request = note(std::string(name) + " request");
    one.on_response = note(std::string(name) + " response");
    one.on_end = [this, name](bento_exchange* e) {
      EXPECT_EQ(e->scope, nullptr);
      steps_.push_back(std::string(name) + " end");
    };
  }
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").body, "hello");
  EXPECT_THAT(steps_, ElementsAre("a request", "b request", "c request", "c response", "b response",
                                  "a response", "c end", "b end", "a end"));
}

TEST_F(MiddlewareTest, ShowsAHookTheRequest) {
  add().on_request = [this](bento_exchange* e, bento_error*) {
    EXPECT_EQ(to_view(e->scope->method), "POST");
    EXPECT_EQ(to_view(e->scope->path), "/echo");
    EXPECT_EQ(to_view(e->scope->request_id), "id-1");
    EXPECT_EQ(e->scope->headers.len, 1u);
    EXPECT_EQ(text(e->body), "hello");
    EXPECT_EQ(e->streamed, 0u);
    steps_.emplace_back("seen");
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  ask("POST", "/echo", "hello", {{"x-request-id", "id-1"}});
  EXPECT_THAT(steps_, ElementsAre("seen"));
}

TEST_F(MiddlewareTest, PassesOnWhatAHookHasChanged) {
  add().on_request = [](bento_exchange* e, bento_error* error) {
    EXPECT_EQ(e->set(e, to_bento("path"), to_bento("/echo"), error), BENTO_OK);
    EXPECT_EQ(e->set(e, to_bento("method"), to_bento("POST"), error), BENTO_OK);
    EXPECT_EQ(e->set_header(e, to_bento("X-New"), to_bento("1"), error), BENTO_OK);
    EXPECT_EQ(e->set_header(e, to_bento("X-Old"), bento_str{}, error), BENTO_OK);
    EXPECT_EQ(e->set_body(e, {"changed", 7}, error), BENTO_OK);
    EXPECT_EQ(to_view(e->scope->path), "/echo");
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_invoke = [this](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                             bento_error* error) {
    const bento_scope* scope = plugin_.host->scope(ctx);
    EXPECT_EQ(scope->headers.len, 1u);
    EXPECT_EQ(to_view(scope->headers.ptr[0].name), "x-new");
    return sink->value(sink, &in, error);
  };
  EXPECT_EQ(ask("PUT", "/elsewhere", "hello", {{"x-old", "1"}}).body, "changed");
}

TEST_F(MiddlewareTest, RefusesChangesThatAreNone) {
  add().on_request = [](bento_exchange* e, bento_error* error) {
    EXPECT_EQ(e->set(e, to_bento("path"), to_bento("no slash"), error), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(e->set(e, to_bento("colour"), to_bento("red"), error), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(e->set(e, to_bento("scheme"), to_bento("ftp"), error), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(e->set_header(e, to_bento("a b"), to_bento("x"), error), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(e->set_header(e, to_bento("a"), to_bento("x\r\ny: z"), error),
              BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(e->set_response_header(e, to_bento("a"), to_bento("x"), error),
              BENTO_FAILED_PRECONDITION);
    EXPECT_EQ(e->response_header(e, to_bento("a"), 0).ptr, nullptr);
    return bento_code{BENTO_OK};
  };
  FakeMiddleware& late = add();
  late.on_response = [](bento_exchange* e, bento_error* error) {
    EXPECT_EQ(e->set(e, to_bento("path"), to_bento("/x"), error), BENTO_FAILED_PRECONDITION);
    EXPECT_EQ(set_header(e, "a", "x\ny", error), BENTO_INVALID_ARGUMENT);
    const bento_event event = start_event(200);
    EXPECT_EQ(e->answer(e, &event, error), BENTO_FAILED_PRECONDITION);
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 200);
}

TEST_F(MiddlewareTest, Answers500ToAHooksMistakeWhateverItsCode) {
  using Hook = std::function<bento_code(bento_exchange*, bento_error*)>;
  const bento_pair bad{to_bento("X-A"), to_bento("b\r\nX-C: d")};
  const std::vector<Hook> mistakes = {
      [](bento_exchange* e, bento_error* error) {
        return e->set(e, to_bento("path"), to_bento("no slash"), error);
      },
      [](bento_exchange* e, bento_error* error) {
        return e->set_header(e, to_bento("a"), to_bento("x\r\ny: z"), error);
      },
      [](bento_exchange* e, bento_error* error) {
        return e->set_response_header(e, to_bento("a"), to_bento("x"), error);
      },
      [](bento_exchange* e, bento_error* error) {
        const bento_event event = start_event(99);
        return e->answer(e, &event, error);
      },
      [&bad](bento_exchange* e, bento_error* error) {
        bento_event event = start_event(200);
        event.headers = {&bad, 1};
        return e->answer(e, &event, error);
      }};
  Hook mistake;
  add().on_request = [&](bento_exchange* e, bento_error* error) { return mistake(e, error); };
  ASSERT_TRUE(serve().ok());
  for (const Hook& each : mistakes) {
    mistake = each;
    testing::internal::CaptureStderr();
    EXPECT_EQ(ask("POST", "/echo", "hello").status, 500);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("middleware first of fake"));
  }
  mistake = [](bento_exchange* e, bento_error* error) { return e->limit_body(e, 2, error); };
  EXPECT_EQ(ask("POST", "/echo", "hello").status, 413) << "which is the client's";
}

TEST_F(MiddlewareTest, TellsTheWordsOfAHooksFailureWhenDebugging) {
  add().on_request = [](bento_exchange*, bento_error* error) {
    return Status(BENTO_INTERNAL, "index 7 is out of range").give(error);
  };
  ASSERT_TRUE(serve().ok());
  testing::internal::CaptureStderr();
  EXPECT_THAT(ask("POST", "/echo", "hello").body, Not(HasSubstr("index 7")));
  deps_.debug = true;
  EXPECT_THAT(ask("POST", "/echo", "hello").body, HasSubstr("index 7"));
  testing::internal::GetCapturedStderr();
}

TEST_F(MiddlewareTest, ChangesTheResponseOnItsWayOut) {
  add().on_response = [](bento_exchange* e, bento_error* error) {
    EXPECT_EQ(e->status, 200u);
    EXPECT_EQ(e->more, 0u);
    EXPECT_EQ(text(e->body), "hello");
    EXPECT_EQ(to_view(e->response_header(e, to_bento("CONTENT-TYPE"), 0)),
              "text/plain; charset=utf-8");
    e->status = 203;
    EXPECT_EQ(set_header(e, "x-a", "1", error), BENTO_OK);
    EXPECT_EQ(e->add_response_header(e, to_bento("x-a"), to_bento("2"), error), BENTO_OK);
    EXPECT_EQ(to_view(e->response_header(e, to_bento("X-A"), 1)), "2");
    EXPECT_EQ(set_header(e, "Content-Type", "text/csv", error), BENTO_OK);
    return e->set_body(e, {"bye", 3}, error);
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 203);
  EXPECT_EQ(response.body, "bye");
  EXPECT_EQ(response.content_type, "text/csv");
  EXPECT_EQ(http::joined_header(response.headers, "x-a"), "1, 2");
}

TEST_F(MiddlewareTest, AnswersInPlaceOfTheServiceAndOnlyThoseOutsideSeeIt) {
  add().on_response = note("outer response");
  FakeMiddleware& gate = add();
  gate.on_request = [](bento_exchange* e, bento_error* error) {
    bento_event event = start_event(403);
    const bento_pair type{to_bento("content-type"), to_bento("text/x-no")};
    event.headers = {&type, 1};
    event.body = {"no", 2};
    return e->answer(e, &event, error);
  };
  gate.on_response = note("gate response");
  gate.on_end = [this](bento_exchange*) { steps_.emplace_back("gate end"); };
  FakeMiddleware& inner = add();
  inner.on_request = note("inner request");
  inner.on_end = [this](bento_exchange*) { steps_.emplace_back("inner end"); };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, "no");
  EXPECT_EQ(response.content_type, "text/x-no");
  EXPECT_THAT(steps_, ElementsAre("outer response", "gate end"));
  EXPECT_THAT(metrics_.text(), HasSubstr("code=\"403\""));
}

TEST_F(MiddlewareTest, AnswersWithWhatAHookFailsWith) {
  add().on_request = [](bento_exchange*, bento_error* error) {
    return Status(BENTO_UNAUTHENTICATED, "who are you?").give(error);
  };
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("POST", "/echo", "hello");
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.body, HasSubstr("who are you?"));
}

TEST_F(MiddlewareTest, Answers500WithoutTheWordsOfAHookThatBreaks) {
  add().on_response = [](bento_exchange*, bento_error* error) {
    return Status(BENTO_INTERNAL, "a secret").give(error);
  };
  ASSERT_TRUE(serve().ok());
  testing::internal::CaptureStderr();
  const http::Response response = ask("POST", "/echo", "hello");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(response.body, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(log, HasSubstr("middleware first of fake failed: a secret"));
}

TEST_F(MiddlewareTest, IsAroundErrorsAndTheHostsPagesToo) {
  add().on_response = [this](bento_exchange* e, bento_error*) {
    steps_.push_back(std::to_string(e->status));
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("GET", "/nowhere").status, 404);
  EXPECT_EQ(ask("GET", "/echo").status, 405);
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  plugin_.on_invoke = [](bento_ctx*, const bento_value&, bento_sink*, bento_error* error) {
    return Status(BENTO_INTERNAL, "broken").give(error);
  };
  EXPECT_EQ(ask("POST", "/echo").status, 500);
  EXPECT_THAT(steps_, ElementsAre("404", "405", "200", "500"));
}

TEST_F(MiddlewareTest, LeavesTheAdminDoorAndOtherPrefixesAlone) {
  add().on_request = note("seen");
  ASSERT_TRUE(serve("/iris").ok());
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  EXPECT_EQ(ask("GET", "/irises").status, 404);
  fakes::FakeExchange admin("GET", "/livez");
  admin.request().role = http::ListenerRole::kAdmin;
  EXPECT_EQ(ask(admin).status, 200);
  EXPECT_THAT(steps_, IsEmpty());
  EXPECT_EQ(ask("GET", "/iris/nowhere").status, 404);
  EXPECT_THAT(steps_, ElementsAre("seen"));
}

TEST_F(MiddlewareTest, KeepsAHooksStateFromOneToTheNext) {
  FakeMiddleware& one = add();
  one.on_request = [](bento_exchange* e, bento_error*) {
    EXPECT_EQ(e->state, nullptr);
    e->state = new int(41);
    return bento_code{BENTO_OK};
  };
  one.on_response = [](bento_exchange* e, bento_error*) {
    ++*static_cast<int*>(e->state);
    return bento_code{BENTO_OK};
  };
  one.on_end = [this](bento_exchange* e) {
    const std::unique_ptr<int> state(static_cast<int*>(e->state));
    steps_.push_back(std::to_string(*state));
  };
  add().on_request = [](bento_exchange* e, bento_error*) {
    EXPECT_EQ(e->state, nullptr) << "another's";
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  ask("POST", "/echo", "hello");
  EXPECT_THAT(steps_, ElementsAre("42"));
}

TEST_F(MiddlewareTest, ShowsHooksAStreamPieceByPiece) {
  FakeMiddleware& shout = add();
  shout.on_response = shout.on_body = [](bento_exchange* e, bento_error* error) {
    std::string piece = text(e->body);
    for (char& c : piece) c = static_cast<char>(std::toupper(c));
    if (e->more == 0) piece += "!";
    return e->set_body(e, {piece.data(), piece.size()}, error);
  };
  FakeMiddleware& star = add();
  star.on_response = star.on_body = [](bento_exchange* e, bento_error* error) {
    const std::string piece = text(e->body) + "*";
    return e->set_body(e, {piece.data(), piece.size()}, error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    for (const bento_event& event :
         {start_event(200), body_event("a", true), body_event("b", true), body_event("c")}) {
      EXPECT_EQ(call.channel->send(call.channel, &event, error), BENTO_OK);
    }
    return bento_code{BENTO_OK};
  };
  fakes::FakeExchange exchange("POST", "/raw");
  EXPECT_EQ(ask(exchange).body, "A*B*C*!");
  EXPECT_TRUE(exchange.is_complete);
}

TEST_F(MiddlewareTest, CutsAStreamThatAHookBreaks) {
  add().on_body = [](bento_exchange*, bento_error* error) {
    return Status(BENTO_INTERNAL, "no").give(error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    const bento_event start = start_event(200), one = body_event("a", true), two = body_event("b");
    EXPECT_EQ(call.channel->send(call.channel, &start, error), BENTO_OK);
    EXPECT_EQ(call.channel->send(call.channel, &one, error), BENTO_OK);
    EXPECT_EQ(call.channel->send(call.channel, &two, error), BENTO_CANCELLED);
    return bento_code{BENTO_OK};
  };
  fakes::FakeExchange exchange("POST", "/raw");
  ask(exchange);
  EXPECT_TRUE(exchange.is_aborted);
  EXPECT_FALSE(exchange.is_complete);
}

TEST_F(MiddlewareTest, LimitsTheBodyWholeOrStreamed) {
  add().on_request = [](bento_exchange* e, bento_error* error) {
    return e->limit_body(e, 3, error);
  };
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("POST", "/echo", "abc").status, 200);
  EXPECT_EQ(ask("POST", "/echo", "abcd").status, 413);
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    bento_event event{};
    event.size = sizeof event;
    return call.channel->receive(call.channel, &event, error);
  };
  EXPECT_EQ(ask("POST", "/raw", "abcd").status, 413);
}

TEST_F(MiddlewareTest, BringsTheDeadlineForwardOnly) {
  const TimePoint sooner = clock_.now() + std::chrono::seconds(1);
  FakeMiddleware& one = add();
  one.on_request = [&](bento_exchange* e, bento_error* error) {
    const auto at = [](TimePoint when) {
      return static_cast<std::uint64_t>(when.time_since_epoch().count());
    };
    EXPECT_EQ(e->set_deadline(e, at(sooner), error), BENTO_OK);
    EXPECT_EQ(e->set_deadline(e, at(sooner + std::chrono::hours(1)), error), BENTO_OK);
    return bento_code{BENTO_OK};
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/echo", "x");
  ask(exchange);
  EXPECT_EQ(exchange.late_at, sooner + TrackedExchange::kLateGrace);
}

TEST_F(MiddlewareTest, LeadsARequestThatCameWholeToAStreamingHandler) {
  add().on_request = [](bento_exchange* e, bento_error* error) {
    return e->set(e, to_bento("path"), to_bento("/raw"), error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    bento_event received{};
    received.size = sizeof received;
    EXPECT_EQ(call.channel->receive(call.channel, &received, error), BENTO_OK);
    EXPECT_EQ(text(received.body), "hello");
    EXPECT_EQ(received.more, 0u);
    for (const bento_event& event : {start_event(200), body_event("a", true), body_event("b")}) {
      EXPECT_EQ(call.channel->send(call.channel, &event, error), BENTO_OK);
    }
    return bento_code{BENTO_OK};
  };
  fakes::FakeExchange exchange("POST", "/echo", "hello");
  EXPECT_EQ(ask(exchange).body, "ab");
  EXPECT_TRUE(exchange.may_stream);
}

TEST_F(MiddlewareTest, LeadsAStreamedRequestToAHandlerOfWholeValues) {
  add().on_request = [](bento_exchange* e, bento_error* error) {
    EXPECT_EQ(e->streamed, 1u);
    return e->set(e, to_bento("path"), to_bento("/echo"), error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/raw", "question");
  exchange.hides_body = true;
  exchange.piece_size = 3;
  EXPECT_EQ(ask(exchange).body, "question");
}

TEST_F(MiddlewareTest, EndsACutStreamWithItsHandlerAndNotBefore) {
  add().on_body = [](bento_exchange*, bento_error* error) {
    return Status(BENTO_INTERNAL, "no").give(error);
  };
  ASSERT_TRUE(serve().ok());
  fakes::FakeExchange exchange("POST", "/raw");
  plugin_.on_raw = [&](const bento_call& call, bento_error* error) {
    const bento_event start = start_event(200), one = body_event("a", true);
    EXPECT_EQ(call.channel->send(call.channel, &start, error), BENTO_OK);
    EXPECT_EQ(call.channel->send(call.channel, &one, error), BENTO_OK);
    EXPECT_EQ(call.channel->send(call.channel, &one, error), BENTO_CANCELLED);
    EXPECT_FALSE(exchange.is_aborted) << "its request is still looked at";
    EXPECT_EQ(to_view(call.scope->path), "/raw");
    return Status(BENTO_INTERNAL, "so be it").give(error);
  };
  ask(exchange);
  EXPECT_TRUE(exchange.is_aborted);
}

TEST_F(MiddlewareTest, AnswersAStreamThatAHookRefusesToBeginWith500) {
  bento_code code = BENTO_INTERNAL;
  add().on_response = [&](bento_exchange*, bento_error* error) {
    return Status(code, "no").give(error);
  };
  ASSERT_TRUE(serve().ok());
  plugin_.on_raw = [](const bento_call& call, bento_error* error) {
    bento_error ignored{};
    ignored.size = sizeof ignored;
    for (const bento_event& event :
         {start_event(200), body_event("a", true), body_event("b", true), body_event("c")}) {
      (void)call.channel->send(call.channel, &event, &ignored);
    }
    (void)error;
    return bento_code{BENTO_OK};
  };
  for (const bento_code each : {BENTO_INTERNAL, BENTO_CANCELLED}) {
    code = each;
    EXPECT_EQ(ask("POST", "/raw").status, 500) << each;
  }
}

TEST_F(MiddlewareTest, CallsNoRunnersFromAHookAndDefersNothingFromItsEnd) {
  FakeMiddleware& one = add();
  one.on_request = [this](bento_exchange* e, bento_error* error) {
    bento_ticket* ticket = nullptr;
    EXPECT_EQ(
        plugin_.host->submit(e->ctx, to_bento("a"), to_bento("b"), nullptr, 0, &ticket, error),
        BENTO_FAILED_PRECONDITION);
    return bento_code{BENTO_OK};
  };
  one.on_end = [this](bento_exchange* e) {
    bento_error error{};
    error.size = sizeof error;
    EXPECT_EQ(plugin_.host->defer(e->ctx, nullptr, nullptr, nullptr, &error),
              BENTO_FAILED_PRECONDITION);
    steps_.emplace_back("end");
  };
  ASSERT_TRUE(serve().ok());
  ask("POST", "/echo", "x");
  EXPECT_THAT(steps_, ElementsAre("end"));
}

}  // namespace
}  // namespace bentohost::service
