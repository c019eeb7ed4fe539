#include "runner/backoff.h"

#include <gtest/gtest.h>

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, ReplacesAtOnceWhatHadServed) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(true), 0s);
  EXPECT_EQ(backoff.next(true), 0s);
}

TEST(Backoff, DoublesFromATenthOfASecondToTenSeconds) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(false), 100ms);
  EXPECT_EQ(backoff.next(false), 200ms);
  EXPECT_EQ(backoff.next(false), 400ms);
  for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.next(false), 10s);
  EXPECT_EQ(backoff.next(false), 10s);
}

TEST(Backoff, LosesHopeAfterThreeFailuresAndFindsItAgain) {
  Backoff backoff;
  for (int i = 0; i < 2; ++i) (void)backoff.next(false);
  EXPECT_FALSE(backoff.hopeless());
  (void)backoff.next(false);
  EXPECT_TRUE(backoff.hopeless());
  (void)backoff.next(true);
  EXPECT_FALSE(backoff.hopeless());
}

}  // namespace
}  // namespace bentohost::runner
