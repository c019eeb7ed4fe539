#include "base/process/host_thread.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace bentohost {
namespace {

TEST(HostThread, IsOneFromItsMarkToItsEnd) {
  pid_t tid = 0;
  std::thread([&] {
    tid = ::gettid();
    EXPECT_FALSE(is_host_thread(tid));
    const HostThread mark;
    EXPECT_TRUE(is_host_thread(tid));
  }).join();
  EXPECT_FALSE(is_host_thread(tid)) << "its number may be another's now";
}

TEST(HostThread, IsOneThatIsStartedAsSuchAndBearsItsName) {
  bool is_marked = false;
  char name[16] = "";
  start_host_thread("of-this-test", [&] {
    is_marked = is_host_thread(::gettid());
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
  }).join();
  EXPECT_TRUE(is_marked);
  EXPECT_STREQ(name, "of-this-test");
}

TEST(HostThread, IsTheMainOne) { EXPECT_TRUE(is_host_thread(::getpid())); }

}  // namespace
}  // namespace bentohost
