#include "base/process/child_stdio.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/process/shared_memory.h"
#include "base/process/signal_handlers.h"

namespace bentohost {

void fill_stdio() {
  for (int fd = 0; fd <= 2; ++fd) {
    // open() takes the lowest free number, and all below `fd` are taken.
    if (::fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
      const int filled = ::open("/dev/null", O_RDWR);
  }
}

namespace {

bool is_socket(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

}  // namespace

Result<ChildPipes> take_stdio() {
  ChildPipes pipes{UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 3)),
                   UniqueFd(::fcntl(1, F_DUPFD_CLOEXEC, 3)), UniqueFd()};
  if (pipes.in && is_socket(pipes.in.get())) {
    pipes.socket = std::move(pipes.in);
    char mark = 0;
    pipes.in = receive_with_fd(pipes.socket.get(), {&mark, 1}, /*waits=*/true).fd;
  }
  UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!pipes.in || !pipes.out || !null || ::dup2(null.get(), 0) < 0 || ::dup2(2, 1) < 0) {
    return Status(BENTO_INTERNAL, std::string("cannot move stdin and stdout: ") + strerror(errno));
  }
  // Else output would wait in the buffer until 4 KiB are full, or until the process ends.
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  return pipes;
}

void become_child(int parent_pid) {
  unblock_signals();
  ::prctl(PR_SET_NAME, "bentohost");  // it was started as "exe" (base/process/launch.h)
  rlimit limit{};
  if (::prlimit(parent_pid, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have gone before the call above took effect.
  if (::getppid() != parent_pid) ::_exit(1);
}

}  // namespace bentohost
