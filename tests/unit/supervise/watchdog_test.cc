#include "supervise/watchdog.h"

#include <gtest/gtest.h>

namespace bentohost::supervise {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kBegin{1h};

TEST(Watchdog, BarksWhenThereWasNoSignOfLifeForItsLimit) {
  Watchdog watchdog(4s);
  watchdog.excuse(kBegin);
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 1s));
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 2s));
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 3s));
  EXPECT_TRUE(watchdog.look(kBegin, kBegin + 4s));
  EXPECT_EQ(watchdog.silent_for(), 4s);
}

TEST(Watchdog, IsQuietWhileThereAreSignsOfLife) {
  Watchdog watchdog(4s);
  watchdog.excuse(kBegin);
  for (auto t = 1s; t < 100s; t += 1s) {
    EXPECT_FALSE(watchdog.look(kBegin + t - 900ms, kBegin + t)) << t.count();
    EXPECT_FALSE(watchdog.is_silent());
  }
}

TEST(Watchdog, CountsNoTimeInWhichItDidNotRunItself) {
  Watchdog watchdog(4s);
  watchdog.excuse(kBegin);
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 1s));
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 10h));  // both processes were stopped
  EXPECT_EQ(watchdog.silent_for(), 2s);
  EXPECT_FALSE(watchdog.look(kBegin + 10h + 500ms, kBegin + 10h + 1s));
  EXPECT_EQ(watchdog.silent_for(), 500ms);
}

TEST(Watchdog, BeginsAnewForWhoIsExcused) {
  Watchdog watchdog(4s);
  watchdog.excuse(kBegin);
  for (auto t = 1s; t <= 3s; t += 1s) EXPECT_FALSE(watchdog.look(kBegin, kBegin + t));
  watchdog.excuse(kBegin + 4s);  // the process is in a debugger
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 5s));
  EXPECT_EQ(watchdog.silent_for(), 1s);
}

TEST(Watchdog, NeverBarksWithoutALimit) {
  Watchdog watchdog(0s);
  EXPECT_EQ(watchdog.next_look(), kNoDeadline);
  EXPECT_FALSE(watchdog.look(kBegin, kBegin + 24h));
  EXPECT_EQ(Watchdog(4s).interval(), 1s);
}

}  // namespace
}  // namespace bentohost::supervise
