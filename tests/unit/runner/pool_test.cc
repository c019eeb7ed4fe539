// The pool, moved by hand: a fake clock, pipes whose other ends are the test's, and one step of the
// event loop at a time.
#include "runner/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "fakes/fake_spawner.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

plugin::RunnerSpec make_spec() {
  plugin::RunnerSpec spec;
  spec.name = "clf";
  for (const bool idempotent : {true, false}) {
    plugin::MethodSpec method;
    method.name = idempotent ? "safe" : "fragile";
    method.batchable = true;
    method.idempotent = idempotent;
    method.max_batch = 4;
    spec.methods.push_back(method);
  }
  return spec;
}

class PoolTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kSafe = 0, kFragile = 1;

  PoolTest() : pool_(spec_, options(), {loop_, spawner_, clock_, metrics_}) {
    pool_.start();
    turn();
  }
  ~PoolTest() override {
    spawner_.refuse = true;
    for (const auto& puppet : spawner_.puppets) puppet->die();
    turn();
  }

  static PoolOptions options() {
    PoolOptions options;
    options.max_queue = 8;
    options.hello = R"({"a":1})";
    return options;
  }
  void turn() {
    for (int i = 0; i < 3; ++i) loop_.step(Duration::zero());
  }
  fakes::FakeSpawner::Puppet& puppet() { return *spawner_.puppets.back(); }
  void make_ready() {
    (void)puppet().receive();  // hello
    puppet().say_ready();
    turn();
  }

  struct Caller {
    int answers = 0;
    Status status;
    std::vector<std::int64_t> values;
  };
  // Submits rows of one int64 each; the answer lands in the caller.
  Status submit(Caller& caller, std::uint32_t method, std::vector<std::int64_t> rows,
                Duration time = 1h) {
    auto call = std::make_shared<Call>();
    wire::Value& input = call->inputs.emplace_back();
    input.kind = BENTO_TENSOR;
    input.dtype = BENTO_I64;
    input.shape = {static_cast<std::int64_t>(rows.size()), 1};
    const char* bytes = reinterpret_cast<const char*>(rows.data());
    input.data.assign(bytes, bytes + rows.size() * sizeof(std::int64_t));
    call->rows = static_cast<std::uint32_t>(rows.size());
    call->deadline = clock_.now() + time;
    call->done = [&caller](const Outcome& outcome) {
      ++caller.answers;
      caller.status = outcome.status;
      for (const bento_value& value : outcome.values) {
        const auto* data = static_cast<const std::int64_t*>(value.tensor.data.ptr);
        caller.values.assign(data, data + value.tensor.data.len / sizeof(std::int64_t));
      }
    };
    return pool_.submit(method, std::move(call));
  }
  // The rows of each caller in the call frame that the worker gets now; empty: it gets none.
  std::vector<std::uint32_t> receive_call() {
    frame_ = puppet().receive();
    if (!frame_) return {};
    EXPECT_EQ(frame_->header.type, wire::FrameType::kCall);
    wire::DecodedValues values;
    EXPECT_TRUE(wire::decode_call(frame_->body, values).ok());
    return values.rows;
  }
  void answer() {
    puppet().echo(*frame_, frame_->header.id);
    turn();
  }

  plugin::RunnerSpec spec_ = make_spec();
  fakes::FakeClock clock_;
  fakes::FakeSpawner spawner_;
  observe::Metrics metrics_{"test"};
  EventLoop loop_{clock_};
  Pool pool_;
  std::optional<wire::FrameReader::Frame> frame_;
};

using Rows = std::vector<std::uint32_t>;
using Values = std::vector<std::int64_t>;

TEST_F(PoolTest, GreetsAWorkerAndIsReadyWhenItSaysSo) {
  const auto hello = puppet().receive();
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->header.type, wire::FrameType::kHello);
  EXPECT_EQ(std::string(hello->body.data(), hello->body.size()), R"({"a":1})");
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 0 is starting"));
  puppet().say_ready();
  turn();
  EXPECT_TRUE(pool_.readiness().ok());
}

TEST_F(PoolTest, GivesWorkToAnIdleWorkerBeforeSubmitReturns) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kSafe, {7}).ok());
  EXPECT_EQ(receive_call(), Rows{1});  // no turn of the loop in between
  answer();
  EXPECT_EQ(a.answers, 1);
  EXPECT_EQ(a.values, Values{7});
}

TEST_F(PoolTest, FormsBatchesWhileTheWorkerIsBusyAndGivesEachCallerItsRows) {
  make_ready();
  Caller a, b, c, d;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2, 3}).ok());
  ASSERT_TRUE(submit(c, kSafe, {4}).ok());
  ASSERT_TRUE(submit(d, kSafe, {5, 6}).ok());
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(receive_call(), (Rows{2, 1}));  // not d: max_batch is 4
  answer();
  EXPECT_EQ(receive_call(), Rows{2});
  answer();
  EXPECT_EQ(a.values, Values{1});
  EXPECT_EQ(b.values, (Values{2, 3}));
  EXPECT_EQ(c.values, Values{4});
  EXPECT_EQ(d.values, (Values{5, 6}));
  for (const Caller* each : {&a, &b, &c, &d}) EXPECT_EQ(each->answers, 1);
}

TEST_F(PoolTest, LetsMethodsTakeTurns) {
  make_ready();
  Caller a, b, c;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  ASSERT_TRUE(submit(c, kFragile, {3}).ok());
  (void)receive_call();
  answer();
  (void)receive_call();
  EXPECT_EQ(frame_->header.method, kFragile);
  answer();
  (void)receive_call();
  answer();
  EXPECT_EQ(a.answers + b.answers + c.answers, 3);
}

TEST_F(PoolTest, RetriesAnIdempotentCallOnceAndAloneWhenItsWorkerDies) {
  make_ready();
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  puppet().die();
  turn();
  ASSERT_EQ(spawner_.puppets.size(), 2u);  // it had served: replaced at once
  make_ready();
  EXPECT_EQ(receive_call(), Rows{1});
  puppet().die();  // a's second death
  turn();
  EXPECT_EQ(a.answers, 1);
  EXPECT_EQ(a.status.http_status(), 503u);
  EXPECT_EQ(b.answers, 0);
  clock_.advance(1s);
  turn();
  make_ready();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(b.values, Values{2});
  EXPECT_EQ(b.answers, 1);
}

TEST_F(PoolTest, FailsWhatMayNotRunTwice) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  puppet().die();
  turn();
  EXPECT_EQ(a.answers, 1);
  EXPECT_EQ(a.status.http_status(), 503u);
}

TEST_F(PoolTest, LetsABatchsErrorFailOnlyTheCallerWhoseItIs) {
  make_ready();
  Caller first, good, bad;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(good, kSafe, {1}).ok());
  ASSERT_TRUE(submit(bad, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  puppet().fail(frame_->header.id, Status(BENTO_INVALID_ARGUMENT, "no twos"));
  turn();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(receive_call(), Rows{1});
  puppet().fail(frame_->header.id, Status(BENTO_INVALID_ARGUMENT, "no twos"));
  turn();
  EXPECT_EQ(good.values, Values{1});
  EXPECT_EQ(bad.status.message(), "no twos");
  EXPECT_EQ(good.answers + bad.answers, 2);
}

TEST_F(PoolTest, AnswersAtTheDeadlineInTheQueueAndInFlight) {
  make_ready();
  Caller flying, queued;
  ASSERT_TRUE(submit(flying, kSafe, {1}, 10s).ok());
  ASSERT_TRUE(submit(queued, kSafe, {2}, 20s).ok());
  (void)receive_call();
  clock_.advance(10s);
  turn();
  EXPECT_EQ(flying.status.http_status(), 504u);
  EXPECT_EQ(queued.answers, 0);
  clock_.advance(10s);
  turn();
  EXPECT_EQ(queued.status.http_status(), 504u);
  answer();  // comes too late, and is heard by nobody
  EXPECT_EQ(flying.answers, 1);
  EXPECT_EQ(queued.answers, 1);
}

TEST_F(PoolTest, ReplacesAWorkerThatBreaksTheProtocol) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  puppet().send(AlignedBuffer(64, 'x'));
  turn();
  EXPECT_EQ(a.answers, 1);
  EXPECT_THAT(a.status.message(), HasSubstr("broke the protocol"));
  clock_.advance(1s);
  turn();
  EXPECT_EQ(spawner_.puppets.size(), 2u);
}

TEST_F(PoolTest, TakesNoAnswerToACallThatIsNotInFlight) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  (void)receive_call();
  puppet().echo(*frame_, frame_->header.id + 1);
  turn();
  EXPECT_EQ(a.answers, 1);
  EXPECT_FALSE(a.status.ok());
}

TEST_F(PoolTest, RefusesMoreThanTheQueueHolds) {
  std::vector<Caller> callers(9);
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(submit(callers[static_cast<std::size_t>(i)], kSafe, {i}).ok());
  const Status full = submit(callers[8], kSafe, {8});
  EXPECT_EQ(full.http_status(), 503u);
  EXPECT_THAT(full.message(), HasSubstr("overloaded"));
  EXPECT_EQ(callers[8].answers, 0);
}

TEST_F(PoolTest, StopsWaitingForWorkersThatNeverStart) {
  Caller waiting;
  ASSERT_TRUE(submit(waiting, kSafe, {1}).ok());
  for (int i = 0; i < 3; ++i) {
    puppet().die();
    turn();
    clock_.advance(20s);
    if (i < 2) turn();
  }
  EXPECT_EQ(waiting.status.http_status(), 503u);
  Caller next;
  EXPECT_THAT(submit(next, kSafe, {1}).message(), HasSubstr("not available"));
}

}  // namespace
}  // namespace bentohost::runner
