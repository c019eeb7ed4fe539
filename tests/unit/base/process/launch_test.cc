#include "base/process/launch.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <Poco/PipeStream.h>
#include <Poco/StreamCopier.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process/child_stdio.h"
#include "base/unique_fd.h"

namespace bentohost {
namespace {

// The output of a shell command.
std::string told_by(const std::string& script) {
  Poco::Pipe in, out, err;
  const pid_t pid = launch("/bin/sh", {"-c", script}, in, out, err);
  std::string text;
  Poco::PipeInputStream stream(out);
  Poco::StreamCopier::copyToString(stream, text);
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  return text;
}

TEST(OwnProgram, IsTheFileThatRunsAndNotWhatIsAtItsPath) {
  EXPECT_EQ(own_program(), "/proc/self/exe");
}

TEST(Launch, ItsChildHasItsPipesAndNoOtherDescriptor) {
  int ends[2];  // without O_CLOEXEC
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  const UniqueFd high(::fcntl(ends[0], F_DUPFD, 700));
  ASSERT_TRUE(high);
  EXPECT_EQ(told_by("for fd in /proc/$$/fd/*; do [ ! -e $fd ] || echo -n ${fd##*/}; done"), "012");
}

TEST(Launch, SaysInWordsWhatCannotBeExecuted) {
  Poco::Pipe in, out, err;
  try {
    launch("/no/such/program", {}, in, out, err);
    FAIL() << "it was";
  } catch (const Poco::Exception& e) {
    EXPECT_NE(e.displayText().find("cannot execute /no/such/program: No such file or directory"),
              std::string::npos)
        << e.displayText();
  }
}

TEST(BecomeChild, TakesThisProcesssLimitOfDescriptors) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    rlimit before{}, after{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{20, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    become_child(parent);
    ::getrlimit(RLIMIT_NOFILE, &after);
    ::_exit(after.rlim_cur == before.rlim_cur ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace bentohost
