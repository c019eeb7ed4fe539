#include "supervise/restarts.h"

namespace bentohost::supervise {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kYoung = seconds(1);

TEST(RestartPolicy, ReplacesTheFirstToDieAtOnce) {
  RestartPolicy policy;
  EXPECT_EQ(policy.next(kYoung), Duration::zero());
}

TEST(RestartPolicy, WaitsLongerForEachThatDiesYoungUpToALimit) {
  RestartPolicy policy;
  (void)policy.next(kYoung);
  for (const int expected : {100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000}) {
    EXPECT_EQ(policy.next(Duration::zero()), milliseconds(expected));
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(policy.next(kYoung), RestartPolicy::kLongest);
}

TEST(RestartPolicy, ForgetsWhenOneHasServedForAWhile) {
  RestartPolicy policy;
  for (int i = 0; i < 5; ++i) (void)policy.next(kYoung);
  EXPECT_EQ(policy.next(RestartPolicy::kLongEnough), Duration::zero());
  EXPECT_EQ(policy.next(kYoung), RestartPolicy::kFirst);
}

TEST(RestartCounts, GoThroughAnEnvironmentUnchanged) {
  const RestartCounts counts{{"SIGSEGV", 3}, {"exit_1", 1}};
  EXPECT_EQ(to_text(counts), "SIGSEGV:3,exit_1:1");
  EXPECT_EQ(parse_restart_counts(to_text(counts)), counts);
  EXPECT_EQ(parse_restart_counts(""), RestartCounts());
}

TEST(RestartCounts, LeaveOutWhatIsNone) {
  EXPECT_EQ(parse_restart_counts("SIGSEGV,:1,a:b,SIGBUS:2x,SIGABRT:1"),
            (RestartCounts{{"SIGABRT", 1}}));
}

}  // namespace
}  // namespace bentohost::supervise
