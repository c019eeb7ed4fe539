#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/event_stream.hpp>
#include <bento/stream.hpp>
#include <stdexcept>

#include "sdk/fake_channel.h"

namespace bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class StreamTest : public testing::Test {
 protected:
  // What send() of one event writes.
  std::string written(const Event& event) {
    events_.send(event);
    return channel_.sent.back();
  }

  fakes::FakeChannel channel_;
  Stream stream_{channel_.get()};
  EventStream events_{stream_};
};

TEST_F(StreamTest, GivesTheBodyInPiecesThatAreNeverEmpty) {
  channel_.pieces = {"ab", "", "c", ""};
  std::string all;
  for (std::string_view piece : stream_.body()) {
    EXPECT_FALSE(piece.empty());
    all += piece;
  }
  EXPECT_EQ(all, "abc");
  EXPECT_EQ(stream_.receive(), std::nullopt) << "and nothing after its end";
}

TEST_F(StreamTest, GivesNothingOfAnEmptyBody) {
  channel_.pieces = {""};
  EXPECT_EQ(stream_.receive(), std::nullopt);
}

TEST_F(StreamTest, ThrowsTheErrorOfABodyThatIsNone) {
  channel_.pieces = {"ab"};
  channel_.receive_code = BENTO_RESOURCE_EXHAUSTED;
  EXPECT_EQ(stream_.receive(), "ab");
  try {
    (void)stream_.receive();
    FAIL();
  } catch (const Disconnected&) {
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.http_status(), 408u);
    EXPECT_STREQ(e.what(), "a bad body");
  }
}

TEST_F(StreamTest, ThrowsThatTheClientIsGoneWhileItSends) {
  channel_.pieces = {"ab"};
  channel_.is_torn = true;
  EXPECT_EQ(stream_.receive(), "ab");
  EXPECT_THROW((void)stream_.receive(), Disconnected);
  EXPECT_THROW(stream_.run([&] { (void)stream_.receive(); }), Disconnected)
      << "the host is told, for no answer has begun";
}

TEST_F(StreamTest, SendsAHeadAndPieces) {
  stream_.start(201, "text/csv", {{"X-A", "1"}});
  EXPECT_FALSE(stream_.is_under_way());
  stream_.send("a,");
  EXPECT_TRUE(stream_.is_under_way());
  stream_.end("b");
  EXPECT_EQ(channel_.status, 201u);
  EXPECT_THAT(channel_.headers, ElementsAre(Pair("Content-Type", "text/csv"), Pair("X-A", "1")));
  EXPECT_THAT(channel_.sent, ElementsAre("a,", "b"));
  EXPECT_TRUE(channel_.is_ended);
}

TEST_F(StreamTest, IsBytesIfNothingElseIsSaid) {
  stream_.send("x");
  EXPECT_EQ(channel_.status, 200u);
  EXPECT_THAT(channel_.headers, ElementsAre(Pair("Content-Type", "application/octet-stream")));
}

TEST_F(StreamTest, ThrowsWhatTheHostRefuses) {
  stream_.start(200, "");
  EXPECT_TRUE(channel_.headers.empty());
  EXPECT_THROW(stream_.start(200, ""), Error);
  stream_.end();
  EXPECT_THROW(stream_.send("more"), Error);
  EXPECT_THROW(stream_.end(), Error);
}

TEST_F(StreamTest, EndsWhatTheHandlerStarted) {
  stream_.run([&] { stream_.start(204, ""); });
  EXPECT_TRUE(channel_.is_ended);
  EXPECT_THAT(channel_.sent, ElementsAre(""));
}

TEST_F(StreamTest, LeavesAHandlerThatAnswersNothingToTheHost) {
  stream_.run([] {});
  EXPECT_EQ(channel_.status, 0u);
  EXPECT_FALSE(channel_.is_ended);
}

TEST_F(StreamTest, LeavesABrokenAnswerUnfinished) {
  const auto fails = [&] {
    stream_.send("a");
    throw std::runtime_error("out of words");
  };
  EXPECT_THROW(stream_.run(fails), std::runtime_error);
  EXPECT_FALSE(channel_.is_ended) << "the host cuts it off";
}

TEST_F(StreamTest, EndsAHandlerThatNobodyListensTo) {
  channel_.listens_to = 2;
  int sent = 0;
  stream_.run([&] {
    while (true) {
      stream_.send("x");
      ++sent;
    }
  });
  EXPECT_EQ(sent, 2);
  EXPECT_TRUE(channel_.is_ended) << "the last piece is due all the same";
}

TEST_F(StreamTest, LetsAHandlerCleanUpWhenNobodyListens) {
  channel_.listens_to = 0;
  bool cleaned = false;
  stream_.run([&] {
    try {
      stream_.end("x");
    } catch (const Error& e) {
      cleaned = e.code() == BENTO_CANCELLED;
      throw;
    }
  });
  EXPECT_TRUE(cleaned);
}

TEST_F(StreamTest, WritesEventsAsTheyAreParsed) {
  EXPECT_EQ(written({.data = "hello"}), "data: hello\n\n");
  EXPECT_EQ(written({.data = "a", .event = "tick", .id = "7", .retry = std::chrono::seconds(2)}),
            "event: tick\nid: 7\nretry: 2000\ndata: a\n\n");
  EXPECT_EQ(written({.event = "done"}), "event: done\ndata: \n\n") << "else it is not dispatched";
  EXPECT_EQ(channel_.status, 200u);
  EXPECT_THAT(channel_.headers, ElementsAre(Pair("Content-Type", "text/event-stream"),
                                            Pair("Cache-Control", "no-store")));
}

TEST_F(StreamTest, SplitsTheLinesOfAnEvent) {
  EXPECT_EQ(written({.data = "a\nb\r\nc\rd"}), "data: a\ndata: b\ndata: c\ndata: d\n\n");
  EXPECT_EQ(written({.data = "a\n"}), "data: a\ndata: \n\n");
  EXPECT_EQ(written({.data = "\n\r"}), "data: \ndata: \ndata: \n\n");
  EXPECT_EQ(written({.data = "id: 3\n\ndata: x"}), "data: id: 3\ndata: \ndata: data: x\n\n");
}

TEST_F(StreamTest, RefusesNamesThatWouldBeOtherFields) {
  for (const std::string_view bad : {"a\nb", "a\r", "\n"}) {
    EXPECT_THROW(events_.send({.data = "x", .event = bad}), Error);
    EXPECT_THROW(events_.send({.data = "x", .id = bad}), Error);
  }
  EXPECT_THROW(events_.send({.data = "x", .id = std::string_view("a\0", 2)}), Error);
  EXPECT_EQ(channel_.status, 0u) << "and nothing has been sent";
}

TEST_F(StreamTest, WritesCommentsAndOpensAtOnce) {
  events_.open();
  events_.open();
  EXPECT_THAT(channel_.sent, ElementsAre(""));
  events_.comment("still\nhere");
  EXPECT_EQ(channel_.sent.back(), ": still\n: here\n\n");
}

}  // namespace
}  // namespace bento
