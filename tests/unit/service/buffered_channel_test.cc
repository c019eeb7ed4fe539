#include "service/buffered_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::service {
namespace {

using testing::HasSubstr;

class BufferedChannelTest : public testing::Test {
 protected:
  BufferedChannelTest() {
    error_.size = sizeof error_;
    request_.body = "question";
  }

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
  bento_event receive() {
    bento_event event{};
    event.size = sizeof event;
    EXPECT_EQ(channel_.get()->receive(channel_.get(), &event, &error_), BENTO_OK);
    return event;
  }
  static bento_pair header(std::string_view name, std::string_view value) {
    return {to_bento(name), to_bento(value)};
  }

  http::Request request_;
  BufferedChannel channel_{request_};
  bento_error error_{};
};

TEST_F(BufferedChannelTest, GivesTheWholeBodyAndThenNothingMore) {
  const bento_event event = receive();
  EXPECT_EQ(event.type, static_cast<std::uint32_t>(BENTO_REQUEST_BODY));
  EXPECT_EQ(event.more, 0u);
  EXPECT_EQ(std::string(static_cast<const char*>(event.body.ptr), event.body.len), "question");
  EXPECT_EQ(receive().type, static_cast<std::uint32_t>(BENTO_DISCONNECT));
  EXPECT_EQ(receive().type, static_cast<std::uint32_t>(BENTO_DISCONNECT));
}

TEST_F(BufferedChannelTest, CollectsTheResponse) {
  EXPECT_EQ(
      start(201, {header("Content-Type", "text/csv"), header("X-A", "1"), header("X-A", "2")}),
      BENTO_OK);
  EXPECT_EQ(body("a,", true), BENTO_OK);
  EXPECT_EQ(body("b"), BENTO_OK);
  const auto response = channel_.take_response();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ((*response).status, 201);
  EXPECT_EQ((*response).content_type, "text/csv");
  EXPECT_EQ((*response).body, "a,b");
  ASSERT_EQ((*response).headers.size(), 2u);
  EXPECT_EQ((*response).headers[1].value, "2");
}

TEST_F(BufferedChannelTest, LeavesTheFramingToTheHost) {
  EXPECT_EQ(start(200, {header("Content-LENGTH", "7"), header("Transfer-Encoding", "chunked"),
                        header("connection", "close")}),
            BENTO_OK);
  EXPECT_EQ(body({}), BENTO_OK);
  EXPECT_TRUE((*channel_.take_response()).headers.empty());
}

TEST_F(BufferedChannelTest, RefusesEventsOutOfOrder) {
  EXPECT_EQ(body("x"), BENTO_FAILED_PRECONDITION);
  EXPECT_STREQ(error_.message, "a body before the response was started");
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(start(200), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(body("x"), BENTO_OK);
  EXPECT_EQ(body("y"), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ((*channel_.take_response()).body, "x");
}

TEST_F(BufferedChannelTest, RefusesWhatIsNoResponse) {
  for (const std::uint32_t status : {0u, 100u, 199u, 600u}) {
    EXPECT_EQ(start(status), BENTO_FAILED_PRECONDITION) << status;
  }
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_REQUEST_BODY;
  EXPECT_EQ(channel_.get()->send(channel_.get(), &event, &error_), BENTO_FAILED_PRECONDITION);
}

TEST_F(BufferedChannelTest, SaysWhatIsMissing) {
  EXPECT_THAT(channel_.take_response().status().message(), HasSubstr("without an answer"));
  EXPECT_EQ(start(200), BENTO_OK);
  EXPECT_EQ(body("x", true), BENTO_OK);
  EXPECT_THAT(channel_.take_response().status().message(), HasSubstr("before the end"));
}

}  // namespace
}  // namespace bentohost::service
