#include "service/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "observe/sharded.h"

namespace bentohost::service {
namespace {

using testing::HasSubstr;

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    error_.size = sizeof error_;
    tracked_.set_label(&label_);
  }
  ~ChannelTest() override { EXPECT_EQ(metrics_.in_flight().value(), 0); }

  bento_code start(std::uint32_t status, std::vector<bento_pair> headers = {}) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_START;
    event.status = status;
    event.headers = {headers.data(), headers.size()};
    return channel_.get()->send(channel_.get(), &event, &error_);
  }
  bento_code body(std::string_view text, bool more = false) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_BODY;
    event.more = more ? 1 : 0;
    event.body = {text.data(), text.size()};
    return channel_.get()->send(channel_.get(), &event, &error_);
  }
  bento_code receive() {
    event_ = {};
    event_.size = sizeof event_;
    return channel_.get()->receive(channel_.get(), &event_, &error_);
  }
  std::string received() const {
    return {static_cast<const char*>(event_.body.ptr), event_.body.len};
  }
  static bento_pair header(std::string_view name, std::string_view value) {
    return {to_bento(name), to_bento(value)};
  }

  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  fakes::FakeExchange exchange_{"POST", "/raw", "question"};
  const RouteLabel label_{metrics_.route("/raw"), "/raw"};
  TrackedExchange tracked_{deps_, exchange_};
  RequestContext request_{deps_, tracked_, tracked_};
  Channel channel_{request_};
  bento_event event_{};
  bento_error error_{};
};

TEST_F(ChannelTest, GivesTheBodyInPiecesAndNothingAfterIt) {
  exchange_.piece_size = 5;
  EXPECT_EQ(receive(), BENTO_OK);
  EXPECT_EQ(event_.type, static_cast<std::uint32_t>(BENTO_REQUEST_BODY));
  EXPECT_EQ(received(), "quest");
  EXPECT_EQ(event_.more, 1u);
  EXPECT_EQ(receive(), BENTO_OK);
  EXPECT_EQ(received(), "ion");
  EXPECT_EQ(event_.more, 0u);
  EXPECT_EQ(receive(), BENTO_FAILED_PRECONDITION);
  EXPECT_STREQ(error_.message, "the body has ended");
  channel_.finish({});
}

TEST_F(ChannelTest, TellsThatTheClientIsGone) {
  *exchange_.is_cancelled = true;
  EXPECT_EQ(receive(), BENTO_OK);
  EXPECT_EQ(event_.type, static_cast<std::uint32_t>(BENTO_DISCONNECT));
  EXPECT_TRUE(request_.cancelled());
  channel_.finish({});
}

TEST_F(ChannelTest, AnswersAtOnceWhatIsWholeAtOnce) {
  EXPECT_EQ(
      start(201, {header("Content-Type", "text/csv"), header("X-A", "1"), header("X-A", "2")}),
      BENTO_OK);
  EXPECT_EQ(body("a,b"), BENTO_OK);
  const http::Response response = exchange_.response();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.content_type, "text/csv");
  EXPECT_EQ(response.body, "a,b");
  ASSERT_EQ(response.headers.size(), 3u);  // X-Request-Id included
  EXPECT_EQ(response.headers[1].value, "2");
  channel_.finish({});
  EXPECT_EQ(exchange_.responses.size(), 1u);
}

TEST_F(ChannelTest, StreamsWhatComesInPieces) {
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(body("a,", true), BENTO_OK);
  ASSERT_TRUE(exchange_.started.has_value());
  EXPECT_FALSE(exchange_.is_complete);
  EXPECT_EQ(body("b"), BENTO_OK);
  EXPECT_TRUE(exchange_.is_complete);
  EXPECT_EQ(exchange_.started->body, "a,b");
  EXPECT_TRUE(exchange_.responses.empty());
  channel_.finish({});
}

TEST_F(ChannelTest, CutsAStreamThatItsHandlerLeavesUnfinished) {
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(body("a,", true), BENTO_OK);
  channel_.finish(Status(BENTO_INTERNAL, "out of words"));
  EXPECT_TRUE(exchange_.is_aborted);
  EXPECT_FALSE(exchange_.is_complete);
}

TEST_F(ChannelTest, StreamsOnPastTheDeadlineButNotPastTheHostsEnd) {
  EXPECT_EQ(start(200), BENTO_OK);
  clock_.advance(deps_.timeout * 2);
  EXPECT_TRUE(request_.cancelled());
  EXPECT_EQ(body("a", true), BENTO_OK);
  EXPECT_FALSE(request_.cancelled());
  deps_.draining = true;
  EXPECT_TRUE(request_.cancelled());
  EXPECT_EQ(body("b"), BENTO_OK);
}

TEST_F(ChannelTest, EndsAStreamToHeadAfterItsHead) {
  fakes::FakeExchange exchange("HEAD", "/raw");
  exchange.request().arrived = clock_.now();
  TrackedExchange tracked(deps_, exchange);
  tracked.set_label(&label_);
  RequestContext request(deps_, tracked, tracked);
  Channel channel(request);
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_START;
  event.status = 200;
  EXPECT_EQ(channel.get()->send(channel.get(), &event, &error_), BENTO_OK);
  EXPECT_FALSE(request.cancelled());
  event.type = BENTO_RESPONSE_BODY;
  event.more = 1;
  EXPECT_EQ(channel.get()->send(channel.get(), &event, &error_), BENTO_CANCELLED);
  EXPECT_EQ(channel.get()->send(channel.get(), &event, &error_), BENTO_CANCELLED);
  EXPECT_TRUE(request.cancelled());
  event.more = 0;
  EXPECT_EQ(channel.get()->send(channel.get(), &event, &error_), BENTO_OK);
  EXPECT_FALSE(exchange.is_complete) << "its handler may still look at the request";
  channel.finish(Status(BENTO_CANCELLED, "whatever it returns"));
  EXPECT_TRUE(exchange.is_complete);
  EXPECT_FALSE(exchange.is_aborted);
  channel_.finish({});  // of the fixture's request
}

TEST_F(ChannelTest, RefusesEventsOutOfOrder) {
  EXPECT_EQ(body("x"), BENTO_FAILED_PRECONDITION);
  EXPECT_STREQ(error_.message, "a body before the response was started");
  channel_.finish({});
  EXPECT_EQ(exchange_.response().status, 500) << "whatever the handler says of it";
}

TEST_F(ChannelTest, Answers500ToAResponseThatWasStartedTwice) {
  deps_.debug = true;
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(start(200), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(body("x"), BENTO_FAILED_PRECONDITION);
  channel_.finish({}, "the app at /x of lab");
  EXPECT_EQ(exchange_.response().status, 500);
  EXPECT_THAT(exchange_.response().body,
              HasSubstr("the app at /x of lab: the response was already started"));
}

TEST_F(ChannelTest, LeavesAnAnswerAloneThatIsOut) {
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(body("x"), BENTO_OK);
  EXPECT_EQ(body("y"), BENTO_FAILED_PRECONDITION);
  channel_.finish({});
  EXPECT_EQ(exchange_.response().body, "x");
}

TEST_F(ChannelTest, RefusesWhatIsNoResponse) {
  for (const std::uint32_t status : {0u, 100u, 199u, 600u}) {
    EXPECT_EQ(start(status), BENTO_FAILED_PRECONDITION) << status;
  }
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_REQUEST_BODY;
  EXPECT_EQ(channel_.get()->send(channel_.get(), &event, &error_), BENTO_FAILED_PRECONDITION);
  channel_.finish({});
}

TEST_F(ChannelTest, Answers500ForAHandlerThatSaysNothing) {
  deps_.debug = true;
  channel_.finish({});
  EXPECT_EQ(exchange_.response().status, 500);
  EXPECT_THAT(exchange_.response().body, HasSubstr("without an answer"));
}

TEST_F(ChannelTest, AnswersWithWhatTheHandlerFailedWith) {
  EXPECT_EQ(start(200), BENTO_OK);
  channel_.finish(Status(BENTO_NOT_FOUND, "no such flower"));
  EXPECT_EQ(exchange_.response().status, 404);
}

TEST_F(ChannelTest, NamesAHeaderThatCannotBeSentAndFailsWithIt) {
  EXPECT_EQ(start(200, {header("X-Fine", "1"), header("X-Model", "a\nb")}),
            BENTO_FAILED_PRECONDITION);
  EXPECT_THAT(error_.message, HasSubstr("header \"X-Model\""));
  testing::internal::CaptureStderr();
  channel_.finish({});
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("X-Model"));
  EXPECT_EQ(exchange_.response().status, 500);
}

}  // namespace
}  // namespace bentohost::service
