// Whatever is killed, nothing of the app is left.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include "unit/upstream/process/processes_fixture.h"
#include "upstream/process/process_tree.h"

namespace bentohost::upstream {
namespace {

// The promise is one second; the machine may have other things to do.
constexpr Duration kSoon = 3s;

class GuardianTest : public ProcessesTest {
 protected:
  // An app of five processes that do what they can to stay.
  std::vector<std::string> many() const {
    return {"stubborn", "child", "setsid", "orphan", "setsid", "pids:" + pids_file(), "ok"};
  }
  // The app, its children, and last its guardian.
  std::vector<pid_t> family() const {
    std::vector<pid_t> all = pids(pids_file());
    EXPECT_EQ(all.size(), 5u);
    for (const pid_t pid : all) EXPECT_TRUE(is_alive(pid));
    for (const ProcessInfo& process : descendants_of(::getpid())) {
      for (const ProcessInfo& below : descendants_of(process.pid)) {
        if (below.pid == all.at(0) && below.parent == process.pid) all.push_back(process.pid);
      }
    }
    EXPECT_EQ(all.size(), 6u);
    return all;
  }
};

TEST_F(GuardianTest, EndsAllWhenTheAppsFirstProcessIsKilled) {
  start(mount_of(many()));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const auto all = family();
  ::kill(all[0], SIGKILL);
  EXPECT_TRUE(all_end(all, kSoon));
}

TEST_F(GuardianTest, EndsAllWhenTheAppExits) {
  start(mount_of({"child", "setsid", "orphan", "pids:" + pids_file(), "serve:1"}));
  const auto all = pids(pids_file());
  ASSERT_EQ(all.size(), 4u);
  EXPECT_TRUE(all_end(all, kSoon));
}

TEST_F(GuardianTest, IgnoresTheDeathOfOneOfTheAppsChildren) {
  start(mount_of(many()));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  auto all = family();
  for (std::size_t i = 1; i < 5; ++i) ::kill(all[i], SIGKILL);
  EXPECT_TRUE(all_end({all.begin() + 1, all.begin() + 5}, kSoon));
  EXPECT_FALSE(eventually([&] { return !is_warm(); }, 300ms));
  EXPECT_TRUE(is_alive(all[0]) && is_alive(all[5]));
}

TEST_F(GuardianTest, ThatIsKilledItselfLeavesNothing) {
  start(mount_of(many()));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const auto all = family();
  ::kill(all[5], SIGKILL);
  EXPECT_TRUE(all_end(all, kSoon));
  EXPECT_TRUE(eventually([&] { return servers_->last() == 2 && is_warm(); })) << servers_->reason();
  EXPECT_THAT(restarts(), testing::ElementsAre("no_guardian"));
}

TEST_F(GuardianTest, IsNotEndedByOtherSignals) {
  start(mount_of(many()));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const auto all = family();
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM}) {
    ::kill(all[5], number);
  }
  EXPECT_FALSE(eventually([&] { return !is_alive(all[5]) || !is_alive(all[0]); }, 500ms));
}

// In a process of its own, so that it can be killed.
class KilledHostTest : public GuardianTest {
 protected:
  void start_host(const std::vector<std::string>& words) {
    std::vector<std::string> arguments = {TEST_HELPER, "host", folder_};
    for (const std::string& word : mount_of(words).app.command) arguments.push_back(word);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    host_ = ::fork();
    if (host_ == 0) {
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
  }
  void kill_host() const {
    ::kill(host_, SIGKILL);
    ::waitpid(host_, nullptr, 0);
  }
  pid_t host_ = -1;
};

TEST_F(KilledHostTest, LeavesNothing) {
  start_host(many());
  const auto all = family();
  kill_host();
  EXPECT_TRUE(all_end(all, kSoon));
  // Only the file with pids: the folder of sockets is removed, too.
  EXPECT_TRUE(eventually(
      [&] { return std::distance(std::filesystem::directory_iterator(folder_), {}) == 1; }));
}

TEST_F(KilledHostTest, LeavesNothingWhenTheAppIsKilledToo) {
  start_host(many());
  const auto all = family();
  ::kill(all[0], SIGKILL);
  kill_host();
  EXPECT_TRUE(all_end(all, kSoon));
}

TEST_F(KilledHostTest, LeavesNothingOfAnAppThatIsStopped) {
  start_host(many());
  const auto all = family();
  ::kill(all[0], SIGSTOP);
  kill_host();
  EXPECT_TRUE(all_end(all, kSoon));
}

}  // namespace
}  // namespace bentohost::upstream
