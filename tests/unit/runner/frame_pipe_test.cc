// What a runner process reads, and that nothing moves which it has been given.
#include "runner/frame_pipe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace bentohost::runner {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using What = FramePipe::Next::What;

class FramePipeTest : public testing::Test, protected FramePipe::News {
 protected:
  FramePipeTest() {
    int to[2], from[2];
    EXPECT_EQ(::pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(from, O_CLOEXEC), 0);
    to_.reset(to[1]);
    from_.reset(from[0]);
    pipe_.emplace(UniqueFd(to[0]), UniqueFd(from[1]), static_cast<FramePipe::News&>(*this));
  }

  void on_cancel(std::uint64_t id) override { news_.push_back("cancel " + std::to_string(id)); }
  void on_room(std::uint64_t id, const wire::Room& room) override {
    news_.push_back("room " + std::to_string(id) + " " + std::to_string(room.results));
  }

  static void add_text(AlignedBuffer& out, std::uint64_t id, std::string_view text) {
    wire::FrameWriter frame(out, wire::FrameType::kCall, id, 0);
    frame.text(text);
    EXPECT_TRUE(frame.finish());
  }
  static void add_cancel(AlignedBuffer& out, std::uint64_t id) {
    EXPECT_TRUE(wire::FrameWriter(out, wire::FrameType::kCancel, id, 0).finish());
  }
  void send(const AlignedBuffer& bytes) {
    EXPECT_EQ(::write(to_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  FramePipe::Next read(bool waits = false) {
    const auto next = pipe_->read(waits, [](int) {});
    EXPECT_TRUE(next.ok()) << next.status().message();
    return next.ok() ? *next : FramePipe::Next();
  }
  static std::string text_of(const FramePipe::Next& next) {
    return {next.frame.body.data(), next.frame.body.size()};
  }

  UniqueFd to_, from_;
  std::optional<FramePipe> pipe_;
  std::vector<std::string> news_;
};

TEST_F(FramePipeTest, ReturnsCallsAndTellsTheRest) {
  AlignedBuffer bytes;
  add_cancel(bytes, 3);
  add_text(bytes, 4, "call");
  add_cancel(bytes, 4);
  send(bytes);
  EXPECT_EQ(text_of(read()), "call");
  EXPECT_THAT(news_, ElementsAre("cancel 3"));
  EXPECT_EQ(read().what, What::kNews) << "before the call";
  EXPECT_EQ(read().what, What::kNews) << "after it";
  EXPECT_EQ(read().what, What::kNothing);
  EXPECT_THAT(news_, ElementsAre("cancel 3", "cancel 4"));
  to_.reset();
  EXPECT_EQ(read(true).what, What::kEnd);
}

TEST_F(FramePipeTest, LookingDoesNotMoveTheCallThatIsComputed) {
  AlignedBuffer bytes;
  const std::string large(40000, 'a');
  add_text(bytes, 1, large);
  add_cancel(bytes, 7);  // in the same read
  send(bytes);
  const auto first = read();
  const char* const at = first.frame.body.data();
  pipe_->look();
  EXPECT_THAT(news_, ElementsAre("cancel 7"));
  for (std::uint64_t id = 8; id < 200; ++id) {  // more than a buffer has room for
    AlignedBuffer more;
    add_cancel(more, id);
    add_text(more, id, std::string(1000, 'b'));
    send(more);
    pipe_->look();
  }
  EXPECT_EQ(news_.size(), 193u);
  EXPECT_EQ(first.frame.body.data(), at);
  EXPECT_EQ(text_of(first), large);
  for (std::uint64_t id = 8; id < 200; ++id) {
    const auto next = read();
    ASSERT_EQ(next.what, What::kFrame);
    EXPECT_EQ(next.frame.header.id, id) << "in the order that they came in";
    EXPECT_EQ(text_of(next), std::string(1000, 'b'));
  }
}

TEST_F(FramePipeTest, AFrameMayComeInPartsWhileACallIsComputed) {
  AlignedBuffer bytes;
  add_text(bytes, 1, "first");
  const std::size_t whole = bytes.size();
  add_text(bytes, 2, "second");
  AlignedBuffer start(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole) + 10);
  send(start);
  const auto first = read();
  pipe_->look();
  send(AlignedBuffer(bytes.begin() + static_cast<std::ptrdiff_t>(start.size()), bytes.end()));
  EXPECT_EQ(text_of(first), "first");
  EXPECT_EQ(text_of(read(true)), "second");
}

TEST_F(FramePipeTest, LookingSometimesIsNotLookingOften) {
  pipe_->look_sometimes();
  AlignedBuffer bytes;
  add_cancel(bytes, 1);
  const auto began = std::chrono::steady_clock::now();
  send(bytes);
  while (news_.empty()) pipe_->look_sometimes();
  // Not before a millisecond has passed since the last look, which was before `began`.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  EXPECT_THAT(news_, ElementsAre("cancel 1"));
}

TEST_F(FramePipeTest, WhoWaitsReadsUnlessAnotherDoes) {
  std::atomic<bool> is_there = false;
  std::thread other([&] {
    is_there = true;
    EXPECT_TRUE(pipe_->wait_until([this] { return !news_.empty(); }, [] {}));
  });
  while (!is_there) std::this_thread::yield();
  AlignedBuffer bytes;
  add_cancel(bytes, 1);
  send(bytes);
  other.join();
  EXPECT_THAT(news_, ElementsAre("cancel 1"));
}

TEST_F(FramePipeTest, NobodyWaitsBeyondTheEnd) {
  to_.reset();
  EXPECT_FALSE(pipe_->wait_until([] { return false; }, [] {}));
  EXPECT_THAT(news_, IsEmpty());
}

TEST_F(FramePipeTest, MalformedBytesAreAnErrorEvenIfAnotherThreadReadsThem) {
  AlignedBuffer bytes(128, 'x');
  send(bytes);
  pipe_->look();
  EXPECT_EQ(pipe_->read(true, [](int) {}).status().code(), BENTO_INVALID_ARGUMENT);
}

TEST_F(FramePipeTest, WritesAndNoticesThatNobodyReads) {
  AlignedBuffer bytes;
  add_cancel(bytes, 1);
  EXPECT_TRUE(pipe_->write(bytes));
  EXPECT_TRUE(bytes.empty());
  from_.reset();
  add_cancel(bytes, 1);
  EXPECT_FALSE(pipe_->write(bytes));
}

}  // namespace
}  // namespace bentohost::runner
