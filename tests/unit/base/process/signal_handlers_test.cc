#include "base/process/signal_handlers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace bentohost {
namespace {

constexpr auto kNumbers = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGPIPE};

// Runs in a child process, whose exit code is the number of expectations that did not hold.
int status_of(int (*body)()) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

// 1 if a program that is started now ignores or blocks one of kNumbers, 0 if it does not.
int told_by_a_program() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    // Not a shell, which unblocks signals. One of the lower four digits is not 0.
    ::execl("/bin/grep", "grep", "-qE", "^Sig(Blk|Ign):.*[^0[:space:]].{0,3}$", "/proc/self/status",
            nullptr);
    ::_exit(9);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? 1 - WEXITSTATUS(status) : 8;
}

TEST(SignalHandlers, ProgramsStartWithDefaultsWhateverWeDoWithSignals) {
  EXPECT_EQ(status_of([] {
              for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
              sigset_t all;
              sigfillset(&all);
              ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
              if (told_by_a_program() != 1) return 6;  // the program detects it
              unblock_signals();
              for (const int number : kNumbers) ::signal(number, SIG_IGN);
              if (told_by_a_program() != 1) return 7;
              make_harmless({SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGPIPE});
              return told_by_a_program();
            }),
            0);
}

TEST(SignalHandlers, MakeHarmlessWhatWouldEndUs) {
  EXPECT_EQ(status_of([] {
              make_harmless({SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGPIPE});
              for (const int number : kNumbers) ::raise(number);
              return 0;
            }),
            0);
}

TEST(SignalHandlers, LeaveAForkedChildItsDefaults) {
  const int status = status_of([] {
    make_harmless({SIGTERM});
    const int child = status_of([] {
      ::raise(SIGTERM);
      return 0;
    });
    return WIFSIGNALED(child) && WTERMSIG(child) == SIGTERM ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

volatile sig_atomic_t heard = 0;

TEST(SignalHandlers, CallTheirHandlerWithTheNumberAndKeepErrno) {
  EXPECT_EQ(status_of([] {
              handle_signals({SIGUSR1}, [](int number) {
                heard = number;
                errno = EIO;
              });
              errno = EAGAIN;
              ::raise(SIGUSR1);
              return static_cast<int>(heard != SIGUSR1) + static_cast<int>(errno != EAGAIN);
            }),
            0);
}

}  // namespace
}  // namespace bentohost
