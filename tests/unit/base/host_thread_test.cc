#include "base/host_thread.h"

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

TEST(HostThread, IsTheMainOne) { EXPECT_TRUE(is_host_thread(::getpid())); }

}  // namespace
}  // namespace bentohost
