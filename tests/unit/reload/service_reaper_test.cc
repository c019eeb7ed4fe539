// Services end on the reaper's own threads: neither the thread that releases a service last nor the
// one that stops the host waits for a plugin.
#include "reload/service_reaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "fakes/fake_plugin.h"

namespace bentohost::reload {
namespace {

using namespace std::chrono_literals;

std::promise<void>* may_end = nullptr;

class ServiceReaperTest : public testing::Test {
 protected:
  ServiceReaperTest() {
    generation_->service = "fake";
    may_end = &may_end_;
  }

  std::shared_ptr<service::LiveService> adopt(bool created = true) {
    auto live = std::make_unique<service::LiveService>(*plugin_.instance(), "");
    if (created) {
      EXPECT_TRUE(live->create().ok());
    }
    return reaper_.adopt(std::move(live), generation_);
  }
  // Like a plugin that waits for something in destroy.
  void hold_its_end() {
    plugin_.service.destroy = [](void*) { may_end->get_future().wait(); };
  }
  TimePoint in(Duration duration) const { return clock_.now() + duration; }

  SteadyClock clock_;
  observe::Metrics metrics_{"1.0"};
  fakes::FakePlugin plugin_;
  std::promise<void> may_end_;
  GenerationPtr generation_ = std::make_shared<Generation>();
  ServiceReaper reaper_{clock_, metrics_, false};
};

TEST_F(ServiceReaperTest, EndsAServiceThatNobodyHoldsAnyMore) {
  auto live = adopt();
  auto other = live;
  live.reset();
  EXPECT_EQ(plugin_.steps.back(), "create");
  other.reset();
  EXPECT_TRUE(reaper_.stop(in(10s)));
  EXPECT_EQ(plugin_.steps.back(), "close");
  EXPECT_EQ(generation_->state, State::kRetired);
}

TEST_F(ServiceReaperTest, KeepsNothingOfAGenerationThatHasEnded) {
  auto live = adopt();
  generation_->live = live;
  live.reset();
  EXPECT_TRUE(reaper_.stop(in(10s)));
  EXPECT_EQ(generation_.use_count(), 1);
}

TEST_F(ServiceReaperTest, DoesNotDestroyWhatWasNotCreated) {
  adopt(false).reset();
  EXPECT_TRUE(reaper_.stop(in(10s)));
  EXPECT_THAT(plugin_.steps, testing::ElementsAre("open", "close"));
}

TEST_F(ServiceReaperTest, HoldsUpNeitherTheLastHolderNorTheEndOfTheHost) {
  hold_its_end();
  adopt().reset();
  EXPECT_FALSE(reaper_.stop(in(20ms)));
  may_end_.set_value();
  while (generation_->state != State::kRetired) std::this_thread::yield();
}

}  // namespace
}  // namespace bentohost::reload
