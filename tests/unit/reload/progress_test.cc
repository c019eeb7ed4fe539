#include "reload/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"

namespace bentohost::reload {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

TEST(Progress, KnowsHowLongEachStepTook) {
  fakes::FakeClock clock;
  Progress progress(clock);
  progress.enter(Step::kCopy);
  clock.advance(2ms);
  progress.enter(Step::kCopy);  // still
  clock.advance(1ms);
  progress.enter(Step::kProbe);
  EXPECT_EQ(progress.step(), Step::kProbe);
  clock.advance(5ms);
  progress.end();
  EXPECT_THAT(progress.took(), ElementsAre(Pair(Step::kCopy, 3ms), Pair(Step::kProbe, 5ms)));
  EXPECT_EQ(progress.total(), 8ms);
}

TEST(Progress, AddsUpAStepThatIsEnteredAgain) {
  fakes::FakeClock clock;
  Progress progress(clock);
  progress.enter(Step::kLibraries);
  clock.advance(2ms);
  progress.enter(Step::kProbe);
  clock.advance(1ms);
  progress.enter(Step::kLibraries);
  clock.advance(3ms);
  progress.end();
  EXPECT_THAT(progress.took(), ElementsAre(Pair(Step::kLibraries, 5ms), Pair(Step::kProbe, 1ms)));
  EXPECT_EQ(progress.total(), 6ms);
}

}  // namespace
}  // namespace bentohost::reload
