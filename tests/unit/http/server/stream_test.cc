#include "http/server/stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

namespace bentohost::http {
namespace {

bool give(Stream& stream, std::string bytes, bool is_last = false) {
  const bool goes_on = stream.give_body(bytes, is_last);
  EXPECT_TRUE(bytes.empty());
  return goes_on;
}
// "bytes+" while more will come, "bytes" at the end, "408" for an error.
std::string take(Stream& stream) {
  bool was_full = false;
  Result<ReceivedBody> piece = stream.take_body(was_full);
  if (!piece.ok()) return std::to_string(piece.status().http_status());
  return piece->bytes + (piece->more ? "+" : "");
}
std::string output(Stream& stream) {
  std::string out;
  stream.take_output(out);
  return out;
}
// Whether the loop must be notified.
bool put(Stream& stream, std::string_view bytes) {
  bool is_first = false;
  EXPECT_TRUE(stream.give_output(bytes, is_first).ok());
  return is_first;
}

TEST(Stream, JoinsWhatHasComeOfABody) {
  Stream stream;
  EXPECT_TRUE(give(stream, "ab"));
  EXPECT_TRUE(give(stream, "c"));
  EXPECT_EQ(take(stream), "abc+");
  EXPECT_TRUE(give(stream, "d"));
  EXPECT_TRUE(give(stream, "", true));
  EXPECT_EQ(take(stream), "d");
  EXPECT_EQ(take(stream), "");  // and always afterwards
}

TEST(Stream, AnEmptyBodyIsOnePieceToo) {
  Stream stream;
  EXPECT_TRUE(give(stream, "", true));
  EXPECT_EQ(take(stream), "");
}

TEST(Stream, WaitsForABody) {
  Stream stream;
  std::string taken;
  std::thread handler([&] {
    taken = take(stream);
    taken += take(stream);
  });
  give(stream, "a");
  give(stream, "b", true);
  handler.join();
  EXPECT_TRUE(taken == "a+b" || taken == "ab") << taken;  // depends on the order of the threads
}

TEST(Stream, TellsBothSidesThatTheBodysBufferWasFull) {
  Stream stream;
  EXPECT_TRUE(give(stream, std::string(Stream::kHighWater - 1, 'x')));
  EXPECT_FALSE(give(stream, "x"));
  bool was_full = false;
  EXPECT_EQ(stream.take_body(was_full)->bytes.size(), Stream::kHighWater);
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(give(stream, "x"));
  EXPECT_EQ(stream.take_body(was_full)->bytes, "x");
  EXPECT_FALSE(was_full);
}

TEST(Stream, GivesWhatCameBeforeAFailure) {
  Stream stream;
  give(stream, "ab");
  stream.fail_body(Status::with_http(408, BENTO_DEADLINE_EXCEEDED, "late"));
  EXPECT_EQ(take(stream), "ab+");
  EXPECT_EQ(take(stream), "408");
  EXPECT_EQ(take(stream), "408");
}

TEST(Stream, KeepsTheFirstFailure) {
  Stream stream;
  stream.fail_body(Status::with_http(413, BENTO_INVALID_ARGUMENT, "large"));
  stream.fail_body(Status::with_http(400, BENTO_INVALID_ARGUMENT, "cut"));
  EXPECT_EQ(take(stream), "413");
}

TEST(Stream, AWholeBodyCannotFail) {
  Stream stream;
  give(stream, "ab", true);
  stream.fail_body(Status::with_http(400, BENTO_INVALID_ARGUMENT, "cut"));
  EXPECT_EQ(take(stream), "ab");
}

TEST(Stream, ABodyThatIsHereIsWorthMoreThanItsClient) {
  Stream stream;
  give(stream, "ab", true);
  stream.cancel();
  EXPECT_EQ(take(stream), "ab");
}

TEST(Stream, CancelsTheReaderOfAnUnfinishedBody) {
  Stream stream;
  give(stream, "ab");
  std::thread loop([&] { stream.cancel(); });
  bool was_full = false;
  Status status;
  while (status.ok()) {
    Result<ReceivedBody> piece = stream.take_body(was_full);
    if (!piece.ok()) status = std::move(piece).take_status();
  }
  loop.join();
  EXPECT_EQ(status.code(), BENTO_CANCELLED);
}

TEST(Stream, TellsTheLoopOfOutputOnceUntilItHasTakenIt) {
  Stream stream;
  EXPECT_TRUE(put(stream, "a"));
  EXPECT_FALSE(put(stream, "b"));
  EXPECT_EQ(output(stream), "ab");
  EXPECT_EQ(output(stream), "");
  EXPECT_TRUE(put(stream, "c"));
  EXPECT_EQ(output(stream), "c");
}

TEST(Stream, ThePieceThatFillsTheBufferIsTakenWhole) {
  Stream stream;
  put(stream, std::string(3 * Stream::kHighWater, 'x'));
  EXPECT_EQ(output(stream).size(), 3 * Stream::kHighWater);
}

TEST(Stream, KeepsAHandlerWaitingUntilWhatIsUnsentIsFewer) {
  Stream stream;
  put(stream, std::string(Stream::kHighWater, 'x'));
  std::atomic<bool> is_given = false;
  std::thread handler([&] {
    put(stream, "more");
    is_given = true;
  });
  const std::size_t taken = output(stream).size();
  EXPECT_EQ(taken, Stream::kHighWater);
  stream.set_unsent(taken);
  EXPECT_FALSE(is_given && output(stream).empty());
  stream.set_unsent(taken - 1);
  handler.join();
  EXPECT_TRUE(is_given);
}

TEST(Stream, CancelsAWriterThatWaits) {
  Stream stream;
  put(stream, std::string(Stream::kHighWater, 'x'));
  std::thread loop([&] { stream.cancel(); });
  bool is_first = true;
  EXPECT_EQ(stream.give_output("more", is_first).code(), BENTO_CANCELLED);
  EXPECT_FALSE(is_first);
  loop.join();
  EXPECT_EQ(output(stream), "");  // nobody would read it
}

TEST(Stream, CarriesBothDirectionsAtOnce) {
  Stream stream;
  constexpr int kPieces = 2000;
  const std::string piece(1000, 'x');
  std::atomic<int> told = 0;
  std::thread handler([&] {
    std::size_t received = 0;
    for (bool more = true; more;) {
      bool was_full = false;
      Result<ReceivedBody> got = stream.take_body(was_full);
      ASSERT_TRUE(got.ok());
      received += got->bytes.size();
      more = got->more;
      bool is_first = false;
      ASSERT_TRUE(stream.give_output(got->bytes, is_first).ok());
      if (is_first) ++told;
    }
    EXPECT_EQ(received, kPieces * piece.size());
  });
  std::string out;
  for (int i = 0; i < kPieces; ++i) {
    give(stream, piece, i == kPieces - 1);
    stream.take_output(out);
    stream.set_unsent(0);
  }
  while (out.size() < kPieces * piece.size()) {
    stream.take_output(out);
    stream.set_unsent(0);
  }
  handler.join();
  EXPECT_EQ(out.size(), kPieces * piece.size());
  EXPECT_GT(told, 0);
}

}  // namespace
}  // namespace bentohost::http
