#include "base/process/shared_memory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "fakes/refusing_memory.h"

namespace bentohost {
namespace {

using fakes::HostMemory;
using testing::HasSubstr;

constexpr std::size_t kSize = 64 * 1024;

class SharedMemoryTest : public testing::Test {
 protected:
  ~SharedMemoryTest() override { HostMemory::reset(); }
};

std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++n;
  return n;
}

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("bentohost-arena") != std::string::npos) return true;
  }
  return false;
}

TEST_F(SharedMemoryTest, IsTheSameForTwoProcesses) {
  const SharedMemory::Made made = *SharedMemory::create(kSize);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(made.memory.data()) % 4096, 0u);
  const pid_t child = ::fork();
  if (child == 0) {
    auto mapped = SharedMemory::map(made.fd, kSize);
    if (mapped.ok()) std::memcpy(mapped->data() + kSize - 6, "hello", 6);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_STREQ(made.memory.data() + kSize - 6, "hello");
}

TEST_F(SharedMemoryTest, CannotBeShrunkOrGrownByAnybody) {
  const SharedMemory::Made made = *SharedMemory::create(kSize);
  EXPECT_EQ(::ftruncate(made.fd.get(), 0), -1);
  EXPECT_EQ(::ftruncate(made.fd.get(), 2 * kSize), -1);
  EXPECT_EQ(::fcntl(made.fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1) << "nor sealed against the host";
}

TEST_F(SharedMemoryTest, CanBeEmptiedAndStaysMapped) {
  const SharedMemory::Made made = *SharedMemory::create(kSize);
  std::memset(made.memory.data(), 'x', kSize);
  empty_shared_memory(made.fd, kSize);
  struct stat info {};
  ASSERT_EQ(::fstat(made.fd.get(), &info), 0);
  EXPECT_EQ(info.st_blocks, 0);
  EXPECT_TRUE(std::all_of(made.memory.data(), made.memory.data() + kSize,
                          [](char byte) { return byte == 0; }));
}

TEST_F(SharedMemoryTest, LeavesNothingWhenItEndsOrFails) {
  const std::size_t before = open_descriptors();
  {
    const SharedMemory::Made made = *SharedMemory::create(kSize);
    EXPECT_TRUE(is_mapped());
    SharedMemory moved;
    moved = *SharedMemory::map(made.fd, kSize);
    EXPECT_EQ(moved.size(), kSize);
  }
  for (bool* refuses : {&HostMemory::refuses_create, &HostMemory::refuses_resize,
                        &HostMemory::refuses_seals, &HostMemory::refuses_map}) {
    *refuses = true;
    const auto made = SharedMemory::create(kSize, HostMemory::calls);
    EXPECT_EQ(made.status().code(), BENTO_RESOURCE_EXHAUSTED);
    *refuses = false;
  }
  EXPECT_FALSE(is_mapped());
  EXPECT_EQ(open_descriptors(), before);
}

// Without the check, a signal would end the process.
TEST_F(SharedMemoryTest, IsRefusedBeyondTheLimitOfFiles) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{kSize - 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto made = SharedMemory::create(kSize);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(made.status().message(), HasSubstr("RLIMIT_FSIZE"));
}

TEST_F(SharedMemoryTest, NamesTheCallThatWasRefused) {
  HostMemory::refuses_seals = true;
  EXPECT_THAT(SharedMemory::create(kSize, HostMemory::calls).status().message(),
              HasSubstr("F_ADD_SEALS): Invalid argument"));
}

class FdMessageTest : public testing::Test {
 protected:
  Received receive(bool waits = false) {
    return receive_with_fd(sockets_.theirs.get(), room_, waits);
  }

  SocketPair sockets_ = *make_socket_pair();
  char room_[16] = {};
};

TEST_F(FdMessageTest, BringsADescriptorThatIsClosedOnExec) {
  EXPECT_EQ(receive().outcome, Received::Outcome::kNothingYet);
  const SharedMemory::Made made = *SharedMemory::create(kSize);
  ASSERT_TRUE(send_with_fd(sockets_.ours.get(), {"abc", 3}, made.fd.get()));
  ASSERT_TRUE(send_with_fd(sockets_.ours.get(), {"d", 1}, -1));
  const Received first = receive(/*waits=*/true);
  EXPECT_EQ(first.length, 3u);
  ASSERT_TRUE(first.fd);
  EXPECT_EQ(::fcntl(first.fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_TRUE(SharedMemory::map(first.fd, kSize).ok());
  const Received second = receive();
  EXPECT_EQ(second.length, 1u);
  EXPECT_FALSE(second.fd);
}

TEST_F(FdMessageTest, EndsWhenThePeerHasGone) {
  ASSERT_TRUE(send_with_fd(sockets_.ours.get(), {"last", 4}, -1));
  sockets_.ours.reset();
  EXPECT_EQ(receive().outcome, Received::Outcome::kMessage) << "what was sent before still comes";
  EXPECT_EQ(receive(/*waits=*/true).outcome, Received::Outcome::kEnd);
  EXPECT_FALSE(send_with_fd(sockets_.theirs.get(), {"x", 1}, -1)) << "and no SIGPIPE";
}

}  // namespace
}  // namespace bentohost
