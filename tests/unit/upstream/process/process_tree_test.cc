#include "upstream/process/process_tree.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace bentohost::upstream {
namespace {

// A child with a child that sleeps. The first one's name would break a careless parser.
class ProcessTreeTest : public testing::Test {
 protected:
  ProcessTreeTest() {
    int fds[2];
    EXPECT_EQ(::pipe(fds), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_NAME, ") Z 1 (");
      const pid_t grandchild = ::fork();
      if (grandchild == 0) {
        char name[] = "sleep", time[] = "60";
        char* arguments[] = {name, time, nullptr};
        char* environment[] = {variable_.data(), nullptr};
        ::execve("/bin/sleep", arguments, environment);
        ::_exit(1);
      }
      [[maybe_unused]] const ssize_t sent = ::write(fds[1], &grandchild, sizeof grandchild);
      while (true) ::pause();
    }
    EXPECT_EQ(::read(fds[0], &grandchild_, sizeof grandchild_),
              static_cast<ssize_t>(sizeof grandchild_));
    ::close(fds[0]);
    ::close(fds[1]);
    while (processes_with(variable_).empty()) {  // until it has called exec
    }
  }
  ~ProcessTreeTest() override {
    ::kill(grandchild_, SIGKILL);
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  static bool has(const std::vector<ProcessInfo>& all, pid_t pid, pid_t parent) {
    return std::any_of(all.begin(), all.end(), [&](const ProcessInfo& info) {
      return info.pid == pid && info.parent == parent;
    });
  }

  std::string variable_ = "PROCESS_TREE_TEST=" + std::to_string(::getpid());  // no other run's
  pid_t child_ = -1, grandchild_ = -1;
};

TEST_F(ProcessTreeTest, HasAllDescendants) {
  const auto all = descendants_of(::getpid());
  EXPECT_TRUE(has(all, child_, ::getpid()));
  EXPECT_TRUE(has(all, grandchild_, child_));
  EXPECT_FALSE(has(all, ::getpid(), ::getppid()));
  EXPECT_EQ(descendants_of(grandchild_).size(), 0u);
}

TEST_F(ProcessTreeTest, SumsTheMemory) {
  const std::uint64_t both = memory_of_tree(child_), one = memory_of_tree(grandchild_);
  EXPECT_GT(one, 100u << 10);
  EXPECT_GT(both, one);
  EXPECT_LT(both, std::uint64_t{1} << 30);
}

TEST_F(ProcessTreeTest, FindsProcessesByAVariable) {
  EXPECT_EQ(processes_with(variable_), std::vector<pid_t>{grandchild_});
  EXPECT_TRUE(processes_with(variable_.substr(1)).empty());
  EXPECT_TRUE(processes_with("PROCESS_TREE_TEST=").empty());
}

}  // namespace
}  // namespace bentohost::upstream
