#include "supervise/orphans.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace bentohost::supervise {
namespace {

// A child that has ended.
pid_t dead_child(int code) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(code);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  return pid;
}

bool is_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST(Orphans, AreReapedAndOursAreNot) {
  const pid_t stranger = dead_child(1), ours = dead_child(7), another = dead_child(2);
  EXPECT_TRUE(reap_orphans([&](pid_t pid) { return pid == ours; }));
  int status = 0;
  ASSERT_EQ(::waitpid(ours, &status, WNOHANG), ours);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(reap_orphans([](pid_t) { return false; }));
  EXPECT_FALSE(is_child(stranger));
  EXPECT_FALSE(is_child(another));
}

TEST(Orphans, AreOursFromThenOn) {
  take_in_orphans();
  int is_reaper = 0;
  ASSERT_EQ(::prctl(PR_GET_CHILD_SUBREAPER, &is_reaper), 0);
  EXPECT_EQ(is_reaper, 1);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Orphans, AreNoneWhereThereAreNoChildren) {
  EXPECT_TRUE(reap_orphans([](pid_t) { return false; }));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace bentohost::supervise
