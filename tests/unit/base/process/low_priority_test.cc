#include "base/process/low_priority.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bentohost {
namespace {

int niceness_of(pid_t process) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(process)); }

// A child that waits to be killed.
class Child {
 public:
  Child() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      char end = 0;
      ::_exit(static_cast<int>(::read(ends[0], &end, 1)));
    }
    ::close(ends[0]);
    hold_ = ends[1];
  }
  ~Child() {
    ::close(hold_);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  int policy() const { return ::sched_getscheduler(pid_); }
  int niceness() const { return niceness_of(pid_); }

 private:
  pid_t pid_ = -1;
  int hold_ = -1;
};

// Where the priority could not be raised again it is not lowered: then nothing changes.
TEST(Gentle, IsAChildLessAndLessAndThenNoMore) {
  const int before = niceness_of(0);
  const Child child;
  lower_priority(child.pid(), /*for_good=*/false);
  const bool is_permitted = child.policy() == SCHED_IDLE;
  EXPECT_TRUE(is_permitted || ::geteuid() != 0);
  relax_priority(child.pid());
  EXPECT_EQ(child.policy(), SCHED_OTHER);
  EXPECT_EQ(child.niceness(), is_permitted ? std::max(10, before) : before);
  restore_priority(child.pid());
  EXPECT_EQ(child.policy(), SCHED_OTHER);
  EXPECT_EQ(child.niceness(), before);
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  EXPECT_EQ(niceness_of(0), before);
}

TEST(Gentle, EndsFromTheFirstAsWell) {
  const Child child;
  lower_priority(child.pid(), /*for_good=*/false);
  restore_priority(child.pid());
  EXPECT_EQ(child.policy(), SCHED_OTHER);
  EXPECT_EQ(child.niceness(), niceness_of(0));
}

TEST(Gentle, ForGoodNeedsNoPermissionToComeBack) {
  const Child child;
  lower_priority(child.pid(), /*for_good=*/true);
  EXPECT_TRUE(child.policy() == SCHED_IDLE || child.niceness() >= 10);
}

TEST(Gentle, IsNobodyWhoIsGone) {
  pid_t gone = -1;
  {
    const Child child;
    gone = child.pid();
  }
  lower_priority(gone, /*for_good=*/true);
  relax_priority(gone);
  restore_priority(gone);
}

}  // namespace
}  // namespace bentohost
