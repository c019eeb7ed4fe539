// How a batch becomes a frame, how its results are split, and how frames are written to the pipe.
#include "runner/worker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fakes/fake_clock.h"
#include "runner/batch_frame.h"

namespace bentohost::runner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Shape = std::vector<std::int64_t>;
using Floats = std::vector<float>;

wire::Value tensor(Shape shape, const Floats& elements) {
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.name = "x";
  value.dtype = BENTO_F32;
  value.shape = std::move(shape);
  value.data.resize(elements.size() * sizeof(float));
  if (!elements.empty()) std::memcpy(value.data.data(), elements.data(), value.data.size());
  return value;
}

Floats floats(const bento_value& value) {
  Floats elements(value.tensor.data.len / sizeof(float));
  if (!elements.empty()) std::memcpy(elements.data(), value.tensor.data.ptr, value.tensor.data.len);
  return elements;
}

Shape shape(const bento_value& value) {
  return {value.tensor.shape, value.tensor.shape + value.tensor.ndim};
}

// A method whose tensors are joined along `axis`.
plugin::MethodSpec along(std::int32_t axis) {
  plugin::MethodSpec method;
  method.batchable = true;
  method.axis_in = method.axis_out = axis;
  return method;
}

class BatchTest : public testing::Test {
 protected:
  struct Heard {
    int times = 0;
    std::vector<Shape> shapes;
    std::vector<Floats> values;
  };

  void add(std::uint32_t rows, std::vector<wire::Value> inputs = {}) {
    auto call = std::make_shared<Call>();
    call->rows = rows;
    call->inputs = std::move(inputs);
    call->done = [&heard = heard_.emplace_back()](const CallResult& outcome) {
      ++heard.times;
      for (const bento_value& value : outcome.values) {
        heard.shapes.push_back(shape(value));
        heard.values.push_back(floats(value));
      }
    };
    batch_.rows += rows;
    batch_.calls.push_back(std::move(call));
  }

  // The bytes that a worker would read.
  const wire::DecodedValues& encode(std::int32_t axis) {
    EXPECT_TRUE(encode_batch(batch_, along(axis), *no_arenas_, bytes_));
    const auto header = wire::decode_header({bytes_.data(), wire::kHeaderSize});
    EXPECT_EQ((*header).id, 7u);
    EXPECT_EQ((*header).method, 2u);
    const std::span<const char> body(bytes_.data() + wire::kHeaderSize, (*header).body_length);
    EXPECT_TRUE(wire::decode_call(body, decoded_).ok());
    return decoded_;
  }
  Status deliver(const std::vector<wire::Value>& values, std::int32_t axis) {
    wire::DecodedValues result;
    for (const wire::Value& value : values) result.values.push_back(value.view());
    return deliver_batch(batch_, result, along(axis), frame_).status();
  }

  Batch batch_{.id = 7, .method = 2, .rows = 0, .sent = {}, .calls = {}};
  std::deque<Heard> heard_;
  AlignedBuffer bytes_;
  wire::DecodedValues decoded_;
  observe::Metrics metrics_{"test"};
  const std::shared_ptr<ArenaSet> no_arenas_ =
      std::make_shared<ArenaSet>(UniqueFd(), ArenaSet::Deps(), metrics_.arenas({"svc", "clf"}));
  wire::FrameReader reader_;
  ResultFrame frame_{reader_, {}, {}};
};

TEST_F(BatchTest, SendsOneCallAsItIs) {
  add(2, {tensor({2, 2}, {1, 2, 3, 4}), tensor({2}, {5, 6})});
  const auto& sent = encode(0);
  EXPECT_THAT(sent.rows, ElementsAre(2));
  ASSERT_EQ(sent.values.size(), 2u);
  EXPECT_EQ(floats(sent.values[1]), (Floats{5, 6}));
}

TEST_F(BatchTest, JoinsCallsAlongTheFirstAxis) {
  add(1, {tensor({1, 2}, {1, 2})});
  add(2, {tensor({2, 2}, {3, 4, 5, 6})});
  const auto& sent = encode(0);
  EXPECT_THAT(sent.rows, ElementsAre(1, 2));
  EXPECT_EQ(shape(sent.values[0]), (Shape{3, 2}));
  EXPECT_EQ(floats(sent.values[0]), (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(to_view(sent.values[0].name), "x");
}

TEST_F(BatchTest, JoinsCallsAlongTheSecondAxis) {
  add(1, {tensor({2, 1}, {1, 4})});
  add(2, {tensor({2, 2}, {2, 3, 5, 6})});
  const auto& sent = encode(1);
  EXPECT_EQ(shape(sent.values[0]), (Shape{2, 3}));
  EXPECT_EQ(floats(sent.values[0]), (Floats{1, 2, 3, 4, 5, 6}));
}

TEST_F(BatchTest, JoinsEachOfSeveralInputs) {
  add(1, {tensor({1}, {1}), tensor({1, 2}, {10, 11})});
  add(1, {tensor({1}, {2}), tensor({1, 2}, {20, 21})});
  const auto& sent = encode(0);
  ASSERT_EQ(sent.values.size(), 2u);
  EXPECT_EQ(floats(sent.values[0]), (Floats{1, 2}));
  EXPECT_EQ(floats(sent.values[1]), (Floats{10, 11, 20, 21}));
}

TEST_F(BatchTest, JoinsCallsWithoutRowsToo) {
  add(0, {tensor({0, 2}, {})});
  add(1, {tensor({1, 2}, {1, 2})});
  const auto& sent = encode(0);
  EXPECT_THAT(sent.rows, ElementsAre(0, 1));
  EXPECT_EQ(floats(sent.values[0]), (Floats{1, 2}));
}

TEST_F(BatchTest, JoinsEmptyTensorsOfManyBlocksAtOnce) {
  add(0, {tensor({std::int64_t{1} << 40, 0}, {})});
  add(0, {tensor({std::int64_t{1} << 40, 0}, {})});
  EXPECT_EQ(shape(encode(1).values[0]), (Shape{std::int64_t{1} << 40, 0}));
}

TEST_F(BatchTest, LeavesNothingBehindWhenNoFrameCanHoldIt) {
  add(1, {tensor({1}, {1})});
  batch_.calls[0]->inputs[0].name.assign(wire::kMaxLabel + 1, 'n');
  EXPECT_FALSE(encode_batch(batch_, along(0), *no_arenas_, bytes_));
  EXPECT_TRUE(bytes_.empty());
}

TEST_F(BatchTest, GivesEachCallItsRowsOfTheFirstAxis) {
  add(1);
  add(2);
  EXPECT_TRUE(deliver({tensor({3}, {1, 2, 3}), tensor({3, 2}, {1, 2, 3, 4, 5, 6})}, 0).ok());
  EXPECT_THAT(heard_[0].values, ElementsAre(Floats{1}, Floats{1, 2}));
  EXPECT_THAT(heard_[1].values, ElementsAre(Floats{2, 3}, Floats{3, 4, 5, 6}));
  EXPECT_THAT(heard_[1].shapes, ElementsAre(Shape{2}, Shape{2, 2}));
}

TEST_F(BatchTest, GivesEachCallItsRowsOfTheSecondAxis) {
  add(1);
  add(2);
  EXPECT_TRUE(deliver({tensor({2, 3}, {1, 2, 3, 4, 5, 6})}, 1).ok());
  EXPECT_THAT(heard_[0].values, ElementsAre(Floats{1, 4}));
  EXPECT_THAT(heard_[1].values, ElementsAre(Floats{2, 3, 5, 6}));
  EXPECT_THAT(heard_[1].shapes, ElementsAre(Shape{2, 2}));
}

TEST_F(BatchTest, CutsWhatItJoined) {
  add(1, {tensor({2, 1}, {1, 4})});
  add(0, {tensor({2, 0}, {})});
  add(2, {tensor({2, 2}, {2, 3, 5, 6})});
  const auto& sent = encode(1);
  EXPECT_TRUE(deliver_batch(batch_, sent, along(1), frame_).ok());
  for (std::size_t i = 0; i < batch_.calls.size(); ++i) {
    EXPECT_EQ(heard_[i].times, 1);
    EXPECT_THAT(heard_[i].values, ElementsAre(floats(batch_.calls[i]->inputs[0].view())));
  }
}

TEST_F(BatchTest, GivesNobodyAnythingOfTooFewRows) {
  add(1);
  add(2);
  EXPECT_THAT(deliver({tensor({3}, {1, 2, 3}), tensor({2}, {1, 2})}, 0).message(),
              HasSubstr("returned 2 rows for 3"));
  EXPECT_FALSE(deliver({tensor({3}, {1, 2, 3})}, 1).ok()) << "it has no such axis";
  EXPECT_EQ(heard_[0].times + heard_[1].times, 0);
}

TEST_F(BatchTest, TellsNobodyTwice) {
  add(1);
  add(1);
  batch_.calls[0]->finished = true;
  EXPECT_TRUE(deliver({tensor({2}, {1, 2})}, 0).ok());
  EXPECT_EQ(heard_[0].times, 0);
  EXPECT_THAT(heard_[1].values, ElementsAre(Floats{2})) << "not its neighbour's row";
  EXPECT_TRUE(deliver({tensor({2}, {1, 2})}, 0).ok());
  EXPECT_EQ(heard_[1].times, 1);
}

class PipeWriterTest : public testing::Test {
 protected:
  PipeWriterTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reading_.reset(ends[0]);
    writer_number_ = ends[1];
    writer_.emplace(loop_, UniqueFd(ends[1]));
    EXPECT_TRUE(writer_->watch([this] { ++closed_; }).ok());
  }
  ~PipeWriterTest() override { writer_->close(); }
  void step() { loop_.step(Duration::zero()); }
  std::string read_some() {
    std::string text(1 << 20, '\0');
    const ssize_t n = ::read(reading_.get(), text.data(), text.size());
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  static AlignedBuffer frame(std::size_t size, char fill) { return AlignedBuffer(size, fill); }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
  UniqueFd reading_;
  std::optional<PipeWriter> writer_;
  int closed_ = 0, writer_number_ = -1;
};

TEST_F(PipeWriterTest, KeepsTheOrderOfWhatThePipeDoesNotTake) {
  const std::string expected = std::string(300'000, 'a') + std::string(100'000, 'b');
  writer_->send(frame(300'000, 'a'));
  writer_->send(frame(100'000, 'b'));
  std::string got;
  while (got.size() < expected.size()) {
    got += read_some();
    step();
  }
  EXPECT_TRUE(got == expected);
  writer_->send(frame(10, 'c'));
  EXPECT_EQ(read_some(), std::string(10, 'c'));
}

TEST_F(PipeWriterTest, SwallowsWhatNobodyReadsAndSaysSo) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  step();
  EXPECT_EQ(closed_, 0);
  reading_.reset();
  writer_->send(frame(1'000'000, 'a'));
  step();
  EXPECT_EQ(closed_, 1);
  writer_->close();
  writer_->send(frame(10, 'a'));
  step();
  EXPECT_EQ(closed_, 1);
  ::signal(SIGPIPE, before);
}

// A send from another thread may come after the end, when another file has the descriptor's number.
TEST_F(PipeWriterTest, OnceClosedTouchesNobodyElseUnderItsNumber) {
  int other[2] = {-1, -1};
  ASSERT_EQ(::pipe2(other, O_NONBLOCK | O_CLOEXEC), 0);
  const UniqueFd its_reading(other[0]), its_writing(other[1]);
  writer_->send(frame(300'000, 'a'));
  const int number = writer_number_;
  writer_->close();
  const UniqueFd reused(::fcntl(its_reading.get(), F_DUPFD_CLOEXEC, number));
  ASSERT_EQ(reused.get(), number);
  int told = 0;
  ASSERT_TRUE(loop_.watch(reused.get(), EPOLLIN, [&](std::uint32_t) { ++told; }).ok());
  writer_->send(frame(300'000, 'b'));
  ASSERT_EQ(::write(its_writing.get(), "x", 1), 1);
  step();
  EXPECT_EQ(told, 1) << "what it waits for was changed";
  loop_.unwatch(reused.get());
}

}  // namespace
}  // namespace bentohost::runner
