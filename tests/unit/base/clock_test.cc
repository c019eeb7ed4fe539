#include "base/clock.h"

#include <gtest/gtest.h>

namespace bentohost {
namespace {

using namespace std::chrono_literals;

TEST(SecondsText, IsForPeople) {
  EXPECT_EQ(seconds_text(60s), "60 s");
  EXPECT_EQ(seconds_text(250ms), "0.25 s");
  EXPECT_EQ(seconds_text(0s), "0 s");
}

}  // namespace
}  // namespace bentohost
