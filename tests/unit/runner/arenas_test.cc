// Both sides of a worker's arenas, in one process: the host's answers come when the worker would
// wait for them.
#include "runner/arenas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "fakes/refusing_memory.h"
#include "runner/worker_arenas.h"

namespace bentohost::runner {
namespace {

using fakes::HostMemory, fakes::WorkerMemory;
using namespace std::chrono_literals;

constexpr std::size_t kLarge = kArenaThreshold + 1;

class ArenasTest : public testing::Test {
 protected:
  explicit ArenasTest(std::size_t budget = 16 * kLarge)
      : budget_(std::make_shared<MemoryBudget>(budget)) {
    SocketPair sockets = *make_socket_pair();
    host_ = std::make_shared<ArenaSet>(
        std::move(sockets.ours), ArenaSet::Deps{budget_, &HostMemory::calls}, metrics_of_runner_);
    worker_.emplace(std::move(sockets.theirs), WorkerMemory::calls);
    WorkerMemory::instead_of_waiting = [this] { answer(); };
  }
  ~ArenasTest() override {
    HostMemory::reset();
    WorkerMemory::reset();
  }

  bool answer(bool may_ask = true) { return host_->answer(may_ask, bad_); }
  // Puts `text` into an input of batch 1, and reads it as the worker.
  std::string send(const std::string& text) {
    const ArenaSet::Input input = host_->take_input(1, kLarge);
    if (input.arena == 0) return "none";
    std::memcpy(input.data, text.c_str(), text.size() + 1);
    worker_->begin_call();
    const char* const got = worker_->find(input.arena, kLarge);
    return got == nullptr ? "missing" : got;
  }
  // Puts `text` into an output, and claims it as the host.
  std::pair<std::string, ArenaSet::Claim> receive(const std::string& text) {
    const OutputMemory::Block block = worker_->take(kLarge);
    if (block.arena == 0) return {"none", nullptr};
    std::memcpy(block.data, text.c_str(), text.size() + 1);
    ArenaSet::Claim claim;
    const char* const got = host_->claim_output(block.arena, kLarge, claim);
    return {got == nullptr ? "not claimed" : got, claim};
  }
  void trim(Duration after, bool is_idle = true) {
    ArenaSet::Freed freed;
    (void)host_->trim(now_, is_idle, freed);
    now_ += after;
    (void)host_->trim(now_, is_idle, freed);
  }
  double limited() const { return metrics_of_runner_.limit->Value(); }
  double refused() const { return metrics_of_runner_.refused->Value(); }

  const std::shared_ptr<MemoryBudget> budget_;
  observe::Metrics metrics_{"test"};
  const observe::ArenaMetrics metrics_of_runner_ = metrics_.arenas({"svc", "clf"});
  std::shared_ptr<ArenaSet> host_;
  std::optional<WorkerArenas> worker_;
  std::string bad_;
  TimePoint now_{1h};
};

TEST_F(ArenasTest, CarryInputsAndUseTheirMemoryAgain) {
  EXPECT_EQ(send("first"), "first");
  const std::size_t used = budget_->used();
  EXPECT_GE(used, kLarge);
  EXPECT_EQ(send("second"), "second") << "the first is in use";
  EXPECT_EQ(budget_->used(), 2 * used);
  EXPECT_TRUE(host_->end_batch(1));
  EXPECT_FALSE(host_->end_batch(1));
  EXPECT_EQ(send("third"), "third");
  EXPECT_EQ(budget_->used(), 2 * used);
  EXPECT_EQ(metrics_of_runner_.bytes->Value(), 2.0 * static_cast<double>(used));
}

TEST_F(ArenasTest, CarryOutputsThatStayUntilTheirLastReader) {
  auto [text, claim] = receive("result");
  EXPECT_EQ(text, "result");
  const std::size_t used = budget_->used();
  {
    auto [other, other_claim] = receive("other");
    EXPECT_EQ(other, "other");
    EXPECT_EQ(budget_->used(), 2 * used);
  }
  EXPECT_EQ(receive("again").first, "again");
  EXPECT_EQ(budget_->used(), 2 * used) << "the returned one was taken again";
  EXPECT_STREQ(static_cast<const char*>(claim.get()), "result");
}

TEST_F(ArenasTest, GiveAnOutputBackThatWasNotSent) {
  const OutputMemory::Block block = worker_->take(kLarge);
  ASSERT_NE(block.arena, 0u);
  worker_->put_back(block.arena);
  EXPECT_EQ(worker_->take(kLarge).arena, block.arena);
  EXPECT_EQ(worker_->take(kArenaThreshold).arena, 0u) << "not worth it";
}

TEST_F(ArenasTest, BelieveNoWorkerThatClaimsWhatItDoesNotHave) {
  const OutputMemory::Block block = worker_->take(kLarge);
  ASSERT_NE(block.arena, 0u);
  const ArenaSet::Input input = host_->take_input(1, kLarge);
  ArenaSet::Claim claim;
  EXPECT_EQ(host_->claim_output(99, 1, claim), nullptr) << "there is no such arena";
  EXPECT_EQ(host_->claim_output(input.arena, 1, claim), nullptr) << "an input";
  EXPECT_EQ(host_->claim_output(block.arena, 2 * kLarge, claim), nullptr) << "more than it has";
  EXPECT_EQ(claim, nullptr);
  EXPECT_NE(host_->claim_output(block.arena, kLarge, claim), nullptr);
  ArenaSet::Claim twice;
  EXPECT_EQ(host_->claim_output(block.arena, kLarge, twice), nullptr) << "it has named it already";
}

TEST_F(ArenasTest, RefuseAWorkerThatAsksForTooMuchOrWithoutACall) {
  EXPECT_EQ(worker_->take(std::size_t{1} << 40).arena, 0u);
  WorkerMemory::instead_of_waiting = [this] { answer(/*may_ask=*/false); };
  EXPECT_EQ(worker_->take(kLarge).arena, 0u);
  EXPECT_EQ(budget_->used(), 0u);
  EXPECT_EQ(bad_, "");
}

TEST_F(ArenasTest, TellOfMessagesThatNoWorkerSends) {
  SocketPair sockets = *make_socket_pair();
  const auto host = std::make_shared<ArenaSet>(std::move(sockets.ours), ArenaSet::Deps{budget_},
                                               metrics_of_runner_);
  ASSERT_TRUE(send_with_fd(sockets.theirs.get(), {"what?", 5}, -1));
  EXPECT_FALSE(host->answer(true, bad_));
  EXPECT_NE(bad_, "");
  EXPECT_EQ(host->take_input(1, kLarge).arena, 0u);
}

TEST_F(ArenasTest, FreeWhatNobodyHasUsedForAWhile) {
  EXPECT_EQ(send("input"), "input");
  EXPECT_EQ(receive("output").first, "output");
  trim(ArenaSet::kIdle - 1ms);
  EXPECT_GE(budget_->used(), 2 * kLarge);
  trim(1ms, /*is_idle=*/false);
  EXPECT_GE(budget_->used(), 2 * kLarge) << "both may be in use";
  (void)host_->end_batch(1);
  trim(1ms);
  EXPECT_EQ(budget_->used(), 0u);
  EXPECT_EQ(metrics_of_runner_.bytes->Value(), 0);
  EXPECT_EQ(send("afterwards"), "afterwards");
  EXPECT_EQ(receive("too").first, "too");
}

TEST_F(ArenasTest, FreeEverythingButResultsWhenTheWorkerHasGone) {
  EXPECT_EQ(send("input"), "input");
  auto [text, claim] = receive("kept");
  worker_.reset();
  host_->close();
  const std::size_t left = budget_->used();
  EXPECT_GE(left, kLarge);
  EXPECT_LT(left, 2 * kLarge);
  host_.reset();
  EXPECT_STREQ(static_cast<const char*>(claim.get()), "kept");
  claim.reset();
  EXPECT_EQ(budget_->used(), 0u);
}

class FewArenasTest : public ArenasTest {
 protected:
  FewArenasTest() : ArenasTest(3 * kLarge) {}
};

TEST_F(FewArenasTest, KeepTheBoundAndUseItForWhatIsNeededNow) {
  EXPECT_EQ(send("a"), "a");
  EXPECT_EQ(send("b"), "b");
  EXPECT_EQ(send("c"), "none");
  EXPECT_EQ(receive("d").first, "none");
  EXPECT_EQ(limited(), 2);
  (void)host_->end_batch(1);
  const ArenaSet::Input larger = host_->take_input(2, 2 * kLarge);
  EXPECT_NE(larger.arena, 0u) << "the free ones have made room";
  EXPECT_LE(budget_->used(), budget_->max());
  EXPECT_EQ(host_->take_input(2, 4 * kLarge).arena, 0u);
  EXPECT_EQ(limited(), 3);
}

class RefusedArenasTest : public ArenasTest, public testing::WithParamInterface<bool*> {};

TEST_P(RefusedArenasTest, LeavePipesAndNothingBehind) {
  *GetParam() = true;
  const std::string input = send("input");
  EXPECT_TRUE(input == "none" || input == "missing") << input;
  EXPECT_EQ(worker_->is_missing(), input == "missing");
  EXPECT_EQ(receive("output").first, "none");
  EXPECT_EQ(bad_, "");
  (void)answer();
  (void)host_->end_batch(1);
  if (input == "missing") {
    EXPECT_EQ(send("again"), "none") << "the host has noticed";
  }
  EXPECT_GE(refused(), 1);
  trim(ArenaSet::kIdle);
  EXPECT_EQ(budget_->used(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Calls, RefusedArenasTest,
                         testing::Values(&HostMemory::refuses_create, &HostMemory::refuses_resize,
                                         &HostMemory::refuses_seals, &HostMemory::refuses_map,
                                         &HostMemory::refuses_send, &WorkerMemory::refuses_map,
                                         &WorkerMemory::loses_descriptors));

TEST_F(ArenasTest, LeaveThePipesToAWorkerThatCannotAsk) {
  WorkerMemory::refuses_send = true;
  EXPECT_EQ(receive("output").first, "none");
  EXPECT_EQ(send("input"), "input");
}

TEST_F(ArenasTest, LeaveThePipesToAWorkerWhoseHostCannotReturnAnArena) {
  auto [text, claim] = receive("output");
  HostMemory::refuses_send = true;
  claim.reset();
  EXPECT_EQ(worker_->take(kLarge).arena, 0u) << "it sees the end of the channel";
  EXPECT_EQ(send("input"), "none");
}

}  // namespace
}  // namespace bentohost::runner
