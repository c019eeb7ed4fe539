#include "base/loop/child_end.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop/event_loop.h"
#include "fakes/fake_clock.h"

namespace bentohost {
namespace {

using namespace std::chrono_literals;

// A child that does nothing until it is killed.
pid_t idle_child() {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (::getppid() == parent) ::pause();
  ::_exit(0);
}

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

class ChildEndTest : public testing::TestWithParam<bool> {
 protected:
  // With a pidfd, or as on a system without pidfds.
  UniqueFd pidfd() const { return GetParam() ? open_pidfd(child_) : UniqueFd(); }
  bool is_reaped() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) != 0;
  }

  const pid_t child_ = idle_child();
};

TEST_P(ChildEndTest, IsNotWaitedForLongerThanAsked) {
  const UniqueFd fd = pidfd();
  EXPECT_FALSE(reap(child_).has_value());
  EXPECT_FALSE(has_ended(child_));
  EXPECT_FALSE(reap_by(child_, fd, in(20ms)).has_value());
  ASSERT_EQ(::kill(child_, SIGKILL), 0);
  const auto status = reap_by(child_, fd, in(1h));
  ASSERT_TRUE(status.has_value());
  EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL);
  EXPECT_EQ(reap(child_), kNoStatus) << "it is no child any more";
  EXPECT_TRUE(has_ended(child_));
}

TEST_P(ChildEndTest, IsReapedWheneverItComesWithoutWaiting) {
  fakes::FakeClock clock;
  EventLoop loop(clock);
  reap_later(loop, child_, pidfd());
  loop.step(Duration::zero());
  ASSERT_EQ(::kill(child_, SIGKILL), 0);
  while (!is_reaped()) {
    clock.advance(1s);
    loop.step(Duration::zero());
  }
  loop.step(Duration::zero());
}

INSTANTIATE_TEST_SUITE_P(All, ChildEndTest, testing::Bool(), [](const auto& with_pidfd) {
  return with_pidfd.param ? "WithAPidfd" : "WithoutAPidfd";
});

}  // namespace
}  // namespace bentohost
