// What the operator reads when an app does not come up.
#include <gmock/gmock.h>

#include "unit/upstream/process/processes_fixture.h"
#include "upstream/process/app_process.h"

namespace bentohost::upstream {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class StartFailuresTest : public ProcessesTest {};

TEST_F(StartFailuresTest, AnExitIsToldWithTheLastLines) {
  start(mount_of({"say:Traceback", "print:ImportError: no module named 'x'", "exit:1"}));
  EXPECT_THAT(first_failure(),
              AllOf(StartsWith("mount /old (http:/usr/bin/python3 "),
                    EndsWith("): the app exited with code 1 before it answered; its last lines: "
                             "Traceback | ImportError: no module named 'x'")));
  EXPECT_EQ(servers_->reason(),
            "the app at /old is not running: it exited with code 1 before it answered");
  EXPECT_EQ(processes_->is_warm().status().code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(processes_->readiness().code(), BENTO_UNAVAILABLE);
}

TEST_F(StartFailuresTest, OnlyTheLastTwentyLinesAreTold) {
  std::vector<std::string> words;
  for (int i = 0; i < 30; ++i) words.push_back("say:line " + std::to_string(i));
  words.emplace_back("exit:2");
  start(mount_of(words));
  EXPECT_THAT(first_failure(),
              AllOf(HasSubstr("its last lines: line 10 | "), EndsWith(" | line 29")));
}

TEST_F(StartFailuresTest, AnExceptionIsToldWhole) {
  mount::Mount mount = mount_of({});
  mount.app.command = {"/usr/bin/python3", "-c", "import no_such_module", "{socket}"};
  start(mount);
  EXPECT_THAT(first_failure(), EndsWith("ModuleNotFoundError: No module named 'no_such_module'"));
}

TEST_F(StartFailuresTest, AMissingProgramOrFolderIsNamed) {
  mount::Mount mount = mount_of({});
  mount.app.command = {"no-such-server"};
  start(mount);
  EXPECT_THAT(first_failure(),
              HasSubstr("the app could not be started: there is no program \"no-such-server\""));
  stop(1s);
  mount = mount_of({"ok"});
  mount.app.folder = folder_ + "/none";
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr("the app could not be started: cannot enter the folder " +
                                         folder_ + "/none: No such file or directory"));
}

TEST_F(StartFailuresTest, OneThatNeverListensMeetsItsDeadline) {
  mount::Mount mount = mount_of({"say:loading", "late:60"});
  mount.app.start_timeout = 500ms;
  start(mount);
  EXPECT_THAT(first_failure(), EndsWith("): the app did not answer within 0.5 s (nothing listened)"
                                        "; its last lines: loading"));
}

TEST_F(StartFailuresTest, OneThatListensAndNeverAnswersMeetsItsDeadline) {
  mount::Mount mount = mount_of({"pids:" + pids_file(), "stubborn", "mute"});
  mount.app.start_timeout = 1500ms;
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr("the app did not answer within 1.5 s (it accepted a "
                                         "connection, and sent no response)"));
  EXPECT_TRUE(all_end(pids(pids_file()), kAtOnce)) << "it is killed";
}

TEST_F(StartFailuresTest, OneThatSpeaksAnotherProtocolMeetsItsDeadline) {
  mount::Mount mount = mount_of({"garbage"});
  mount.app.start_timeout = 1500ms;
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr("(what it sent is no HTTP/1 response)"));
}

TEST_F(StartFailuresTest, ADeathBySignalIsToldInWords) {
  mount::Mount mount = mount_of({});
  mount.app.command = {"/bin/sh", "-c", "kill -SEGV $$", "{socket}"};
  start(mount);
  EXPECT_THAT(first_failure(),
              EndsWith("the app was killed by SIGSEGV (signal 11) before it answered"));
}

TEST_F(StartFailuresTest, AnEnvironmentThatIsTooLargeIsRefused) {
  mount::Mount mount = mount_of({"ok"});
  mount.app.environment = {{"BIG", std::string(64u << 20, 'x')}};
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr("arguments and environment variables take 671"));
}

TEST_F(StartFailuresTest, TheFirstStartIsNotTriedAgain) {
  start(mount_of({"exit:78"}));
  EXPECT_THAT(first_failure(), HasSubstr("exited with code 78"));
  EXPECT_FALSE(eventually([&] { return !restarts().empty(); }, 300ms));
}

TEST_F(StartFailuresTest, OneOfSeveralThatFailsIsAFailure) {
  // Who makes the folder serves, the other one exits.
  mount::Mount mount = mount_of({});
  mount.app.command = {"/bin/sh", "-c",
                       "mkdir first && exec /usr/bin/python3 " TEST_APPS_DIR
                       "/app.py {socket} ok; exit 9"};
  mount.app.processes = 2;
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr("exited with code 9"));
}

TEST(WrongInterfaceTest, IsReadFromTheOutputOfServers) {
  EXPECT_THAT(wrong_interface("TypeError: FastAPI.__call__() missing 1 required positional "
                              "argument: 'send'"),
              HasSubstr("is an ASGI app"));
  EXPECT_THAT(wrong_interface("TypeError: Flask.__call__() missing 1 required positional "
                              "argument: 'start_response'"),
              HasSubstr("is a WSGI app"));
  EXPECT_THAT(wrong_interface("TypeError: 'int' object is not callable"), HasSubstr("neither"));
  EXPECT_EQ(wrong_interface("ValueError: what is 'send'? required positional argument"), "");
  EXPECT_EQ(wrong_interface("TypeError: unsupported operand type(s) for +"), "");
}

}  // namespace
}  // namespace bentohost::upstream
