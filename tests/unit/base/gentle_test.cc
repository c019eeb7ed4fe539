#include "base/gentle.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace bentohost {
namespace {

int niceness_of(pid_t thread) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)); }

// Where the priority could not be taken back it is not given away: then nothing changes, all along.
TEST(GentleWhile, EndsForTheThreadsThatWereStartedMeanwhileAsWell) {
  const int before = niceness_of(0);
  GentleWhile gentle(true);
  std::atomic<pid_t> started = 0;
  std::atomic<bool> over = false;
  std::thread thread([&] {
    started = ::gettid();
    while (!over) std::this_thread::yield();
  });
  while (started == 0) std::this_thread::yield();
  EXPECT_EQ(niceness_of(started), niceness_of(0)) << "it inherits";
  gentle.end();
  EXPECT_EQ(niceness_of(0), before);
  EXPECT_EQ(niceness_of(started), before);
  over = true;
  thread.join();
}

TEST(GentleWhile, IsNothingUnlessItIsWanted) {
  const int before = niceness_of(0);
  const GentleWhile gentle(false);
  EXPECT_EQ(niceness_of(0), before);
}

}  // namespace
}  // namespace bentohost
