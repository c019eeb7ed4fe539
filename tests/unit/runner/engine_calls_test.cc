// Calls of engines in the host: several in one worker, results one by one, room and cancels, and
// what becomes of them when a worker dies or hangs. The workers are pipes that the test holds.
#include <gmock/gmock.h>

#include "plugin/ticket.h"
#include "runner/client.h"
#include "runner/window.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kStream = 0, kSafeStream = 1, kOther = 2, kNamed = 3;

const bento_engine kEngine{};

plugin::RunnerSpec make_engine_spec() {
  plugin::RunnerSpec spec = make_pool_spec();
  spec.methods.resize(1, spec.methods[kFragile]);
  spec.methods[0] = make_pool_spec().methods[kFragile];
  spec.methods[0].name = "generate";
  spec.methods[0].batchable = false;
  spec.methods[0].streams = true;
  spec.methods[0].engine = &kEngine;
  spec.methods[0].max_concurrent = 2;
  spec.methods.push_back(spec.methods[0]);
  spec.methods[kSafeStream].name = "safe";
  spec.methods[kSafeStream].idempotent = true;
  spec.methods[kSafeStream].max_latency_ms = 100;
  spec.methods.push_back(make_pool_spec().methods[kFragile]);
  spec.methods.push_back(spec.methods[kStream]);
  spec.methods[kNamed].name = "named";
  spec.methods[kNamed].outs.resize(2, spec.methods[kNamed].outs[0]);
  spec.methods[kNamed].outs[0].name = "a";
  spec.methods[kNamed].outs[1].name = "b";
  return spec;
}

// What the caller of a stream hears, in words.
struct Listener {
  std::vector<std::string> heard;
  CallPtr call = std::make_shared<Call>();

  ~Listener() {
    call->done = [](const CallResult&) {};
  }
  void hear(const CallResult& outcome) {
    std::string what = outcome.status.ok() ? "" : std::to_string(outcome.status.http_status());
    for (const bento_value& value : outcome.values) what += std::to_string(values_of(value).at(0));
    heard.push_back(what + (outcome.more ? "+" : "."));
  }
  std::vector<std::string> take() { return std::exchange(heard, {}); }
};

class EngineCallsTest : public PoolFixture {
 protected:
  explicit EngineCallsTest(std::uint32_t workers = 1)
      : PoolFixture(make_pool_options(workers), make_engine_spec()) {}

  void begin(Listener& listener, std::uint32_t method = kStream, Duration time = kDay) {
    listener.call->inputs.push_back(make_rows({1}));
    listener.call->deadline = clock_.now() + time;
    listener.call->done = [&listener](const CallResult& outcome) { listener.hear(outcome); };
    ASSERT_TRUE(pool_.submit(method, listener.call).ok());
    turn();
  }
  // The id of the call that the worker gets now; 0: none.
  std::uint64_t receive_id(Puppet& worker) {
    const auto frame = worker.receive();
    if (!frame) return 0;
    EXPECT_EQ(frame->header.type, wire::FrameType::kCall);
    return frame->header.id;
  }
  std::uint64_t receive_id() { return receive_id(puppet()); }
  void emit(std::uint64_t id, std::int64_t number, bool more = true, std::size_t width = 1) {
    AlignedBuffer bytes;
    wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, 0);
    if (more) frame.more();
    frame.value_count(1);
    const wire::Value value = make_rows({number}, width);
    frame.value(value.view());
    ASSERT_TRUE(frame.finish());
    puppet().send(bytes);
    turn();
  }
  void end(std::uint64_t id) {
    AlignedBuffer bytes;
    wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, 0);
    frame.value_count(0);
    ASSERT_TRUE(frame.finish());
    puppet().send(bytes);
    turn();
  }
  // Whether the worker is told to cancel this call now.
  bool receives_cancel(std::uint64_t id) {
    const auto frame = puppet().receive();
    return frame && frame->header.type == wire::FrameType::kCancel && frame->header.id == id;
  }
  std::string metrics() const { return metrics_.text(); }
};

TEST_F(EngineCallsTest, GivesResultsAsTheyComeAndThenTheEnd) {
  make_ready();
  Listener a;
  begin(a);
  const auto id = receive_id();
  emit(id, 1);
  EXPECT_THAT(a.take(), ElementsAre("1+"));
  emit(id, 2);
  end(id);
  EXPECT_THAT(a.take(), ElementsAre("2+", "."));
  EXPECT_THAT(metrics(),
              HasSubstr("bentohost_runner_results_total{method=\"generate\",runner=\"clf\","
                        "service=\"svc\"} 2"));
}

TEST_F(EngineCallsTest, TheLastResultMayComeWithTheEnd) {
  make_ready();
  Listener a;
  begin(a);
  emit(receive_id(), 1, /*more=*/false);
  EXPECT_THAT(a.take(), ElementsAre("1."));
}

TEST_F(EngineCallsTest, HasAsManyInFlightAsTheEngineTakes) {
  make_ready();
  Listener a, b, c;
  begin(a);
  begin(b);
  begin(c);
  const auto first = receive_id(), second = receive_id();
  EXPECT_NE(first, 0u);
  EXPECT_NE(second, 0u);
  EXPECT_EQ(receive_id(), 0u) << "max_concurrent is 2";
  emit(second, 2);
  emit(first, 1);
  EXPECT_THAT(a.take(), ElementsAre("1+"));
  EXPECT_THAT(b.take(), ElementsAre("2+"));
  end(first);
  const auto third = receive_id();
  EXPECT_NE(third, 0u) << "it takes the place of the first";
  end(second);
  end(third);
  EXPECT_THAT(c.take(), ElementsAre("."));
}

TEST_F(EngineCallsTest, AMethodThatHasWaitedLongerGetsTheWorkerToItself) {
  make_ready();
  Listener a, late;
  Caller other;
  begin(a);
  const auto first = receive_id();
  advance(1ms);
  ASSERT_TRUE(submit(other, kOther, {5}).ok());
  turn();
  advance(1ms);
  begin(late);
  EXPECT_EQ(receive_id(), 0u) << "there is room, but the other method was first";
  end(first);
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(other.values, Values{5});
  end(receive_id());
  EXPECT_THAT(late.take(), ElementsAre("."));
}

TEST_F(EngineCallsTest, AnErrorIsOfItsCallAlone) {
  make_ready();
  Listener a, b;
  begin(a);
  begin(b);
  const auto first = receive_id(), second = receive_id();
  puppet().fail(first, Status(BENTO_NOT_FOUND, "no"));
  turn();
  EXPECT_THAT(a.take(), ElementsAre("404."));
  end(second);
  EXPECT_THAT(b.take(), ElementsAre("."));
}

TEST_F(EngineCallsTest, APartOfWhatDoesNotStreamBreaksTheProtocol) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kOther, {5}).ok());
  turn();
  (void)receive_call();
  emit(frame_->header.id, 1);
  EXPECT_EQ(a.status.http_status(), 502u);
}

TEST_F(EngineCallsTest, AWorkerThatComesUpGetsAllThatItHasRoomFor) {
  Listener a, b, c;
  begin(a);
  begin(b);
  begin(c);
  make_ready();
  EXPECT_NE(receive_id(), 0u);
  EXPECT_NE(receive_id(), 0u) << "max_concurrent is 2";
  EXPECT_EQ(receive_id(), 0u);
}

TEST_F(EngineCallsTest, SoDoesAWorkerThatHasFinishedABatch) {
  make_ready();
  Caller other;
  Listener a, b;
  ASSERT_TRUE(submit(other, kOther, {5}).ok());
  turn();
  EXPECT_EQ(receive_call(), Rows{1});
  begin(a);
  begin(b);
  EXPECT_EQ(receive_id(), 0u) << "it computes";
  answer();
  EXPECT_NE(receive_id(), 0u);
  EXPECT_NE(receive_id(), 0u);
}

TEST_F(EngineCallsTest, CallsGoOnWhenWhatTheyWaitedBehindIsDropped) {
  make_ready();
  Listener a, late;
  Caller other;
  begin(a);
  const auto first = receive_id();
  advance(1ms);
  ASSERT_TRUE(submit(other, kOther, {5}).ok());
  turn();
  advance(1ms);
  begin(late);
  EXPECT_EQ(receive_id(), 0u) << "the other method was first";
  other.call->abandoned = true;
  advance(25ms);
  EXPECT_NE(receive_id(), 0u);
  end(first);
}

TEST_F(EngineCallsTest, AResultWithoutValuesIsNoEnd) {
  make_ready();
  Listener a;
  begin(a);
  const auto id = receive_id();
  AlignedBuffer bytes;
  wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, 0);
  frame.more();
  frame.value_count(0);
  ASSERT_TRUE(frame.finish());
  puppet().send(bytes);
  turn();
  EXPECT_THAT(a.take(), ElementsAre("502."));
  advance(25ms);
  EXPECT_TRUE(receives_cancel(id));
}

TEST_F(EngineCallsTest, AWorkerThatIgnoresTheWindowFailsItsCallAndNoOther) {
  make_ready();
  Listener a, b;
  begin(a);
  begin(b);
  const auto id = receive_id(), second = receive_id();
  constexpr std::uint32_t kAtOnce = 128;
  for (std::uint32_t sent = 0; sent <= kMostAhead.results; sent += kAtOnce) {
    AlignedBuffer bytes;
    for (std::uint32_t i = 0; i < kAtOnce; ++i) {
      wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, 0);
      frame.more();
      frame.value_count(1);
      frame.value(make_rows({1}).view());
      ASSERT_TRUE(frame.finish());
    }
    puppet().send(bytes);
    turn();
  }
  EXPECT_EQ(a.heard.size(), kMostAhead.results + 1);
  EXPECT_EQ(a.heard.back(), "502.");
  advance(25ms);
  EXPECT_TRUE(receives_cancel(id));
  end(second);
  EXPECT_THAT(b.take(), ElementsAre("."));
}

TEST_F(EngineCallsTest, AStreamOfSeveralValuesByNameEndsWithoutThem) {
  make_ready();
  Listener a;
  begin(a, kNamed);
  end(receive_id());
  EXPECT_THAT(a.take(), ElementsAre("."));
}

// ---- cancels
// -------------------------------------------------------------------------------------

TEST_F(EngineCallsTest, TellsTheWorkerWithinATickThatNobodyWaits) {
  make_ready();
  Listener a, b;
  begin(a);
  begin(b);
  const auto first = receive_id(), second = receive_id();
  emit(first, 1);
  a.call->abandoned = true;
  advance(25ms);
  EXPECT_THAT(a.take(), ElementsAre("1+", "499."));
  EXPECT_TRUE(receives_cancel(first));
  emit(first, 2);
  advance(25ms);
  EXPECT_FALSE(puppet().receive().has_value()) << "once";
  puppet().fail(first, Status(BENTO_CANCELLED, "cancelled"));
  turn();
  EXPECT_THAT(a.take(), ElementsAre());
  end(second);
  EXPECT_THAT(b.take(), ElementsAre("."));
  EXPECT_THAT(metrics(),
              HasSubstr("bentohost_runner_cancels_total{method=\"generate\",runner=\"clf\","
                        "service=\"svc\"} 1"));
}

TEST_F(EngineCallsTest, TellsTheWorkerOfABatchThatAllCallersHaveLeft) {
  make_ready();
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kOther, {1}).ok());
  turn();
  (void)receive_call();
  ASSERT_TRUE(submit(a, kOther, {2}).ok());
  ASSERT_TRUE(submit(b, kOther, {3}).ok());
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  const std::uint64_t id = frame_->header.id;
  a.call->abandoned = true;
  advance(25ms);
  EXPECT_EQ(a.status.code(), BENTO_CANCELLED);
  EXPECT_FALSE(puppet().receive().has_value()) << "the other one still waits";
  b.call->abandoned = true;
  advance(25ms);
  EXPECT_TRUE(receives_cancel(id));
  puppet().fail(id, Status(BENTO_CANCELLED, "cancelled"));
  turn();
}

TEST_F(EngineCallsTest, CancelsAtTheDeadlineOfTheFirstResultAndThenOfEach) {
  make_ready();
  Listener plain, a;
  begin(plain, kStream, 50ms);
  const auto first = receive_id();
  advance(50ms);
  EXPECT_THAT(plain.take(), ElementsAre("504."));
  EXPECT_TRUE(receives_cancel(first));
  puppet().fail(first, Status(BENTO_CANCELLED, "cancelled"));
  turn();

  begin(a, kSafeStream, 50ms);
  const auto second = receive_id();
  emit(second, 1);
  advance(90ms);
  emit(second, 2);
  advance(90ms);
  EXPECT_THAT(a.take(), ElementsAre("1+", "2+")) << "100 ms from one result to the next";
  advance(25ms);
  EXPECT_THAT(a.take(), ElementsAre("504."));
  EXPECT_TRUE(receives_cancel(second));
}

TEST_F(EngineCallsTest, ACallerThatTakesNothingIsNotLate) {
  make_ready();
  Listener a;
  begin(a, kSafeStream);
  const auto id = receive_id();
  for (std::uint32_t i = 0; i < kWindow.results; ++i) emit(id, i);
  advance(10s);
  EXPECT_EQ(a.take().size(), kWindow.results);
  pool_.give_room(a.call, {1, 8});
  advance(10s);
  EXPECT_THAT(a.take(), ElementsAre()) << "its worker has not been told yet";
  pool_.give_room(a.call, {kWindow.results / 2, 8});
  advance(75ms);
  EXPECT_THAT(a.take(), ElementsAre()) << "from now on its worker has 100 ms";
  advance(50ms);
  EXPECT_THAT(a.take(), ElementsAre("504."));
}

TEST_F(EngineCallsTest, KillsAWorkerThatIsSilentAfterACancel) {
  make_ready();
  Listener a, b;
  begin(a);
  begin(b);
  const auto first = receive_id(), second = receive_id();
  a.call->abandoned = true;
  advance(25ms);
  for (int i = 0; i < 10; ++i) {
    advance(1s);
    emit(second, i);
  }
  EXPECT_EQ(b.take().size(), 10u) << "it serves others";
  EXPECT_TRUE(receives_cancel(first));
  advance(2s);
  advance(25ms);
  die();
  EXPECT_THAT(b.take(), ElementsAre("503."));
  EXPECT_THAT(metrics(), HasSubstr("reason=\"killed\""));
}

// ---- deaths
// --------------------------------------------------------------------------------------

TEST_F(EngineCallsTest, ADeathFailsAllInFlightButForIdempotentOnesWithoutAResult) {
  make_ready();
  Listener a, b;
  begin(a, kSafeStream);
  begin(b, kSafeStream);
  const auto first = receive_id();
  (void)receive_id();
  emit(first, 1);
  die();
  EXPECT_THAT(a.take(), ElementsAre("1+", "503."));
  EXPECT_THAT(b.take(), ElementsAre());
  advance(1s);
  make_ready();
  const auto again = receive_id();
  EXPECT_NE(again, 0u);
  die();
  EXPECT_THAT(b.take(), ElementsAre("503.")) << "not a third time";
}

TEST_F(EngineCallsTest, ADeathFailsOthersAtOnce) {
  make_ready();
  Listener a, b;
  begin(a);
  begin(b);
  (void)receive_id();
  (void)receive_id();
  die();
  EXPECT_THAT(a.take(), ElementsAre("503."));
  EXPECT_THAT(b.take(), ElementsAre("503."));
}

// ---- room
// ----------------------------------------------------------------------------------------

class StreamTicketTest : public EngineCallsTest {
 protected:
  plugin::TicketPtr begin_ticket(std::uint32_t method = kStream) {
    const wire::Value input = make_rows({1});
    const bento_value view = input.view();
    const bento_value* const inputs[] = {&view};
    auto ticket = Client::submit({&pool_, method}, inputs, {clock_.now() + kDay, {}});
    EXPECT_TRUE(ticket.ok()) << ticket.status().message();
    turn();
    return *std::move(ticket);
  }
  std::optional<wire::Room> receive_room() {
    const auto frame = puppet().receive();
    if (!frame || frame->header.type != wire::FrameType::kRoom) return std::nullopt;
    return *wire::decode_room(frame->body);
  }
};

TEST_F(StreamTicketTest, GivesRoomBackByHalvesOfTheWindow) {
  make_ready();
  const auto ticket = begin_ticket();
  const auto id = receive_id();
  for (std::uint32_t i = 0; i < kWindow.results; ++i) emit(id, i);
  for (std::uint32_t i = 0; i < kWindow.results / 2 - 1; ++i) {
    EXPECT_EQ(values_of(*(*ticket->next())[0]), Values{i});
    EXPECT_FALSE(puppet().receive().has_value());
  }
  EXPECT_TRUE(ticket->next().ok());
  const auto room = receive_room();
  ASSERT_TRUE(room.has_value());
  EXPECT_EQ(room->results, kWindow.results / 2);
  EXPECT_GT(room->bytes, 0u);
  end(id);
}

TEST_F(StreamTicketTest, LargeResultsGiveTheirBytesBack) {
  make_ready();
  const auto ticket = begin_ticket();
  const auto id = receive_id();
  emit(id, 1, true, 20000);
  ASSERT_TRUE(ticket->next().ok());
  const auto room = receive_room();
  ASSERT_TRUE(room.has_value());
  EXPECT_EQ(room->results, 1u);
  EXPECT_GT(room->bytes, 160000u);
  end(id);
  EXPECT_TRUE((*ticket->next()).empty());
}

TEST_F(StreamTicketTest, ReleasingItCancelsTheCall) {
  make_ready();
  auto ticket = begin_ticket();
  const auto id = receive_id();
  emit(id, 1);
  ticket.reset();
  advance(25ms);
  EXPECT_TRUE(receives_cancel(id));
  end(id);
}

TEST_F(StreamTicketTest, OtherCallersAreToldThatTheyCannotHaveAStream) {
  const auto calls = Client::submit({&pool_, kStream}, {}, {}, [](const CallResult&) {});
  EXPECT_EQ(calls.status().code(), BENTO_UNIMPLEMENTED);
  EXPECT_THAT(calls.status().message(), HasSubstr("clf.generate has a stream of results"));
}

class TwoEnginesTest : public EngineCallsTest {
 protected:
  TwoEnginesTest() : EngineCallsTest(2) {}
};

TEST_F(TwoEnginesTest, TheLeastLoadedWorkerIsTaken) {
  for (const auto& each : spawner_.puppets) make_ready(*each);
  Listener listeners[4];
  for (Listener& listener : listeners) begin(listener);
  for (const auto& each : spawner_.puppets) {
    const auto first = receive_id(*each), second = receive_id(*each);
    EXPECT_NE(first, 0u);
    EXPECT_NE(second, 0u);
    EXPECT_EQ(second - first, 2u) << "they take turns";
  }
}

}  // namespace
}  // namespace bentohost::runner
