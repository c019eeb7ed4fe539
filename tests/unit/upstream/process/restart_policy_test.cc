#include "upstream/process/restart_policy.h"

#include <gtest/gtest.h>

namespace bentohost::upstream {
namespace {

using namespace std::chrono_literals;

constexpr RestartPolicy::End kNeverReady{std::nullopt, 1}, kServedLong{1min, std::nullopt},
    kServedBriefly{1s, std::nullopt};

TEST(RestartPolicyTest, ReplacesOneThatHasServedAtOnce) {
  RestartPolicy policy;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(policy.next(kServedLong), 0s);
  EXPECT_EQ(policy.next({30ms, 3}), 100ms) << "the second death in a row";
}

TEST(RestartPolicyTest, WaitsLongerEachTimeWhenItDiesEarly) {
  RestartPolicy policy;
  EXPECT_EQ(policy.next(kServedBriefly), 0s) << "it may have been a single bad request";
  Duration last = 0s, total = 0s;
  for (unsigned i = 2; i < RestartPolicy::kFailuresToOpen; ++i) {
    const Duration delay = policy.next(kServedBriefly);
    EXPECT_GT(delay, last);
    EXPECT_LE(delay, RestartPolicy::kLongest);
    total += last = delay;
  }
  EXPECT_GT(total, 5s);
  EXPECT_FALSE(policy.is_circuit_open());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(policy.next(kServedBriefly), RestartPolicy::kOpenCircuit);
    EXPECT_TRUE(policy.is_circuit_open());
  }
  EXPECT_EQ(policy.next(kServedLong), 0s);
  EXPECT_FALSE(policy.is_circuit_open());
}

TEST(RestartPolicyTest, WaitsFromTheFirstTimeWhenItWasNeverReady) {
  RestartPolicy policy;
  EXPECT_EQ(policy.next(kNeverReady), RestartPolicy::kFirst);
  EXPECT_EQ(policy.next(kNeverReady), RestartPolicy::kFirst * 2);
}

TEST(RestartPolicyTest, DoesNotHurryWhenTheConfigurationIsWrong) {
  RestartPolicy policy;
  EXPECT_EQ(policy.next({std::nullopt, 78}), RestartPolicy::kUseless);
  EXPECT_EQ(policy.next({1min, 78}), RestartPolicy::kUseless);
}

}  // namespace
}  // namespace bentohost::upstream
