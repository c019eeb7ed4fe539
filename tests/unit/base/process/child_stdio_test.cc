#include "base/process/child_stdio.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace bentohost {
namespace {

bool same_file(int fd, const char* path) {
  struct stat a {
  }, b{};
  return ::fstat(fd, &a) == 0 && ::stat(path, &b) == 0 && a.st_rdev == b.st_rdev &&
         a.st_ino == b.st_ino;
}

// Runs in a child process, whose exit code is the number of expectations that did not hold.
int in_a_child(int (*body)()) {
  const int pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FillStdio, OpensWhatIsClosed) {
  EXPECT_EQ(in_a_child([] {
              for (int fd = 0; fd <= 2; ++fd) ::close(fd);
              fill_stdio();
              return !same_file(0, "/dev/null") + !same_file(1, "/dev/null") +
                     !same_file(2, "/dev/null");
            }),
            0);
}

TEST(FillStdio, LeavesWhatIsOpen) {
  EXPECT_EQ(in_a_child([] {
              int pipe[2];
              if (::pipe(pipe) != 0 || ::dup2(pipe[1], 2) != 2) return 9;
              ::close(1);
              fill_stdio();
              return !same_file(1, "/dev/null") + same_file(2, "/dev/null");
            }),
            0);
}

}  // namespace
}  // namespace bentohost
