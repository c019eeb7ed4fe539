#include "base/gentle.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bentohost {
namespace {

int niceness_of(pid_t process) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(process)); }

// Where the priority could not be taken back it is not given away: then nothing changes, all along.
TEST(GentleWhile, IsInheritedByAProcessAndEndsInBoth) {
  const int before = niceness_of(0);
  pid_t child = -1;
  {
    const GentleWhile gentle(true);
    const int during = niceness_of(0);
    child = ::fork();
    if (child == 0) {
      const bool inherits = niceness_of(0) == during;
      while (niceness_of(::getppid()) != before) ::usleep(100);
      end_gentleness();
      ::_exit(inherits && niceness_of(0) == before ? 0 : 1);
    }
  }
  EXPECT_EQ(niceness_of(0), before);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(GentleWhile, IsNothingUnlessItIsWanted) {
  const int before = niceness_of(0);
  const GentleWhile gentle(false);
  EXPECT_EQ(niceness_of(0), before);
}

}  // namespace
}  // namespace bentohost
