#include <gmock/gmock.h>
#include <sys/wait.h>

#include "unit/upstream/process/processes_fixture.h"
#include "upstream/process/process_tree.h"

namespace bentohost::upstream {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AppProcessesTest : public ProcessesTest {
 protected:
  // Their pids, oldest first, from files that they write.
  pid_t only_pid() const { return pids(pids_file()).at(0); }
  // After a restart.
  pid_t next_pid(pid_t old) const {
    pid_t pid = old;
    eventually([&] {
      const auto found = pids(pids_file());
      if (!found.empty()) pid = found[0];
      return pid != old;
    });
    return pid;
  }
};

TEST_F(AppProcessesTest, AreReadyAfterAWholeResponse) {
  mount::Mount mount = mount_of({"late:0.3", "ok"});
  mount.app.processes = 2;
  start(mount);
  const auto warm = processes_->is_warm();
  EXPECT_TRUE(warm.ok() && !*warm);
  EXPECT_EQ(processes_->readiness().code(), BENTO_UNAVAILABLE);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  EXPECT_EQ(servers_->count(), 2u);
  EXPECT_TRUE(processes_->readiness().ok());
  EXPECT_EQ(servers_->reasons().front(), "the app at /old is not running: it is starting");
  EXPECT_THAT(restarts(), IsEmpty());
}

TEST_F(AppProcessesTest, AProgramThatListensOnAPortIsFoundThere) {
  mount::Mount mount = mount_of({});
  mount.app.command = {"/usr/bin/python3", "-c",
                       "import http.server, os\n"
                       "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])),"
                       " http.server.SimpleHTTPRequestHandler).serve_forever()"};
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  EXPECT_EQ(servers_->address().substr(0, 10), "127.0.0.1:");
}

TEST_F(AppProcessesTest, GetAnEnvironmentOfTheirOwnAndNothingElse) {
  ::setenv("WEB_CONCURRENCY", "8", 1);
  mount::Mount mount = mount_of({});
  mount.app.command = {"/bin/sh", "-c",
                       "env > env.txt; pwd > pwd.txt; ls -l /proc/$$/fd > fd.txt; "
                       "exec /usr/bin/python3 " TEST_APPS_DIR "/app.py {socket} ok"};
  mount.app.environment = {{"MODE", "a b"}};
  start(mount, {{"TOKEN", "secret"}});
  ASSERT_TRUE(becomes_warm()) << first_failure();
  std::ifstream file(folder_ + "/env.txt");
  const std::string env((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(env, HasSubstr("MODE=a b\n"));
  EXPECT_THAT(env, HasSubstr("TOKEN=secret\n"));
  EXPECT_THAT(env, HasSubstr("PATH="));
  EXPECT_EQ(env.find("WEB_CONCURRENCY"), std::string::npos);
  std::ifstream pwd(folder_ + "/pwd.txt");
  std::string folder;
  std::getline(pwd, folder);
  EXPECT_TRUE(std::filesystem::equivalent(folder, folder_));
  std::ifstream fds(folder_ + "/fd.txt");
  const std::string open((std::istreambuf_iterator<char>(fds)), {});
  EXPECT_THAT(open, HasSubstr("0 -> /dev/null"));
  EXPECT_EQ(open.find("socket:"), std::string::npos);
  EXPECT_EQ(open.find("signalfd"), std::string::npos);
  ::unsetenv("WEB_CONCURRENCY");
}

TEST_F(AppProcessesTest, AreStartedAgainWhenTheyDie) {
  start(mount_of({"pids:" + pids_file(), "ok"}));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const pid_t first = only_pid();
  ::kill(first, SIGKILL);
  const pid_t second = next_pid(first);
  ASSERT_TRUE(eventually([&] { return servers_->last() == 2 && is_warm(); }));
  EXPECT_THAT(restarts(), ElementsAre("SIGKILL"));
  EXPECT_THAT(servers_->reasons(),
              Contains("the app at /old is not running: it was killed by SIGKILL "
                       "(signal 9); it is starting again"));
  ::kill(second, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    return servers_->reason() ==
           "the app at /old is not running: it was killed by SIGKILL "
           "(signal 9); it starts again in 0.1 s";
  })) << servers_->reason();
  EXPECT_TRUE(eventually([&] { return servers_->last() == 3 && is_warm(); }));
  EXPECT_TRUE(processes_->may_get_ready().ok());
}

TEST_F(AppProcessesTest, ThatFailLaterAreDownWithTheReasonAndComeBack) {
  mount::Mount mount = mount_of({});
  mount.app.command = {"/bin/sh", "-c",
                       "test -e broken && { echo SyntaxError >&2; exit 1; }; "
                       "exec /usr/bin/python3 " TEST_APPS_DIR "/app.py {socket} pids:pids ok"};
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  std::ofstream(folder_ + "/broken") << "";
  ::kill(only_pid(), SIGTERM);
  ASSERT_TRUE(eventually([&] { return restarts().size() >= 3; }));
  EXPECT_TRUE(processes_->may_get_ready().ok()) << "the rest of the host serves on";
  EXPECT_EQ(processes_->is_warm().status().code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(
      servers_->reasons(),
      Contains(HasSubstr("it exited with code 1 before it answered; it starts again in 0.")));
  EXPECT_THAT(restarts(), ElementsAre("SIGTERM", "exit_1", "exit_1"));
  std::filesystem::remove(folder_ + "/broken");
  EXPECT_TRUE(eventually([&] { return is_warm(); }));
}

TEST_F(AppProcessesTest, ThatExitWith78LaterAreNotTriedAgainSoon) {
  mount::Mount mount = mount_of({"serve:1"});
  mount.app.command = {"/bin/sh", "-c",
                       "/usr/bin/python3 " TEST_APPS_DIR "/app.py {socket} serve:1 ; exit 78"};
  start(mount);
  ASSERT_TRUE(eventually([&] {
    return servers_->reason().find("it starts again in 60 s") != std::string::npos;
  })) << servers_->reason();
  EXPECT_GT(servers_->retry_after(), 50s);
}

TEST_F(AppProcessesTest, AreReplacedBesideTheOldWhenTheyHaveServedEnough) {
  mount::Mount mount = mount_of({"pids:" + pids_file(), "ok"});
  mount.app.max_requests = 100;
  servers_->hold_drain();
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const pid_t first = only_pid();
  servers_->set_served(99);
  EXPECT_FALSE(eventually([&] { return servers_->last() == 2; }, 1200ms));
  servers_->set_served(100);
  ASSERT_TRUE(eventually([&] { return servers_->last() == 2; }));
  servers_->set_served(0);
  EXPECT_TRUE(eventually([&] { return !restarts().empty(); }));
  EXPECT_THAT(restarts(), ElementsAre("requests"));
  EXPECT_THAT(servers_->retired(), ElementsAre(1u));
  EXPECT_TRUE(is_alive(first)) << "it still answers its last requests";
  EXPECT_TRUE(is_warm());
  servers_->drain_all();
  EXPECT_TRUE(all_end({first}, kAtOnce));
  EXPECT_EQ(servers_->count(), 1u);
}

TEST_F(AppProcessesTest, AreReplacedWhenTheyUseTooMuchMemory) {
  mount::Mount mount = mount_of({});
  // The first one grows, the second one does not.
  mount.app.command = {"/bin/sh", "-c",
                       "mkdir first && exec /usr/bin/python3 " TEST_APPS_DIR
                       "/app.py {socket} eat:100 pids:pids ok; exec /usr/bin/python3 " TEST_APPS_DIR
                       "/app.py {socket} ok"};
  mount.app.max_memory = 80u << 20;
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  ASSERT_TRUE(eventually([&] { return servers_->last() == 2; }));
  EXPECT_TRUE(eventually([&] { return !restarts().empty(); }));
  EXPECT_THAT(restarts(), ElementsAre("memory"));
  EXPECT_TRUE(all_end({only_pid()}, kAtOnce));
  EXPECT_FALSE(eventually([&] { return servers_->last() > 2; }, 2500ms));
}

TEST_F(AppProcessesTest, AFailedSuccessorLeavesTheOldOneServing) {
  mount::Mount mount = mount_of({});
  mount.app.command = {
      "/bin/sh", "-c",
      "mkdir first || { echo again >> tries; exit 1; }; exec /usr/bin/python3 " TEST_APPS_DIR
      "/app.py {socket} ok"};
  mount.app.max_requests = 1;
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  servers_->set_served(1);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_ + "/tries"); }));
  EXPECT_FALSE(eventually([&] { return !is_warm() || servers_->count() != 1; }, 1s));
  EXPECT_THAT(restarts(), IsEmpty());
}

TEST_F(AppProcessesTest, StopWaitsForTheLastRequests) {
  servers_->hold_drain();
  start(mount_of({"pids:" + pids_file(), "ok"}));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const pid_t pid = only_pid();
  std::thread stopper([&] { processes_->stop(in(30s)); });
  EXPECT_TRUE(eventually([&] { return servers_->retired().size() == 1; }));
  EXPECT_FALSE(eventually([&] { return !is_alive(pid); }, 300ms));
  servers_->drain_all();
  EXPECT_TRUE(all_end({pid}, kAtOnce));
  stopper.join();
  EXPECT_EQ(servers_->reason(), "the app at /old is not running: it is stopping");
  EXPECT_TRUE(std::filesystem::is_empty(folder_) ||
              std::distance(std::filesystem::directory_iterator(folder_), {}) == 1)
      << "only the file with pids is left";
}

TEST_F(AppProcessesTest, StopKillsAtItsDeadlineWhatIgnoresSigterm) {
  start(mount_of({"stubborn", "setsid", "pids:" + pids_file(), "ok"}));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const auto those = pids(pids_file());
  ASSERT_EQ(those.size(), 2u);
  const TimePoint begin = in(0s);
  processes_->stop(in(700ms));
  EXPECT_LT(in(0s) - begin, 700ms + kAtOnce / 2);
  EXPECT_TRUE(all_end(those, 0s));
}

TEST_F(AppProcessesTest, StopOfOneThatIsStartingDoesNotWaitForIt) {
  start(mount_of({"pids:" + pids_file(), "late:60"}));
  const pid_t pid = only_pid();
  const TimePoint begin = in(0s);
  processes_->stop(in(60s));
  EXPECT_LT(in(0s) - begin, kAtOnce);
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(AppProcessesTest, AreEndedByTheDestructor) {
  start(mount_of({"stubborn", "pids:" + pids_file(), "ok"}));
  const pid_t pid = only_pid();
  processes_.reset();
  EXPECT_TRUE(all_end({pid}, kAtOnce));
  EXPECT_TRUE(eventually([&] { return servers_.use_count() == 1; })) << "the set ends as well";
}

TEST_F(AppProcessesTest, TheirOutputGoesToTheLogWithTheMountsName) {
  testing::internal::CaptureStderr();
  start(mount_of({"say:<4>from stderr", "print:from stdout", "ok"}));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  stop(5s);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("from stdout stream=\"mount /old\""));
  EXPECT_THAT(log, HasSubstr("WARN  [host] from stderr stream=\"mount /old\""));
  EXPECT_THAT(log, HasSubstr("asked: GET / HTTP/1.1")) << "the probe";
}

TEST_F(AppProcessesTest, AFloodOfOutputIsLimited) {
  testing::internal::CaptureStderr();
  mount::Mount mount = mount_of({});
  mount.app.command = {"/bin/sh", "-c",
                       "i=0; while [ $i -lt 20000 ]; do echo flood $i; i=$((i+1)); done; "
                       "exec /usr/bin/python3 " TEST_APPS_DIR "/app.py {socket} ok"};
  start(mount);
  ASSERT_TRUE(becomes_warm()) << first_failure();
  stop(5s);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("lines of output were left out"));
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 10000);
}

}  // namespace
}  // namespace bentohost::upstream
