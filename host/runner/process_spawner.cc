#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/loop/child_end.h"
#include "base/process/launch.h"
#include "base/process/low_priority.h"
#include "base/process/shared_memory.h"
#include "plugin/private_copy.h"
#include "runner/spawner.h"

namespace bentohost::runner {
namespace {

// Poco's pipes close their descriptors when their last copy is destroyed, so we keep a duplicate.
UniqueFd keep(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (copy) ::fcntl(copy.get(), F_SETFL, ::fcntl(copy.get(), F_GETFL) | O_NONBLOCK);
  return copy;
}

// A socket for messages about shared memory becomes the worker's stdin, and the pipe that it reads
// frames from is the first thing that it gets there (take_stdio()): Poco starts a process with
// three descriptors, and no more. Where a call is refused, `in` stays the worker's stdin.
void connect(Poco::Pipe& in, Child& child) {
  auto sockets = make_socket_pair();
  int ends[2];
  if (sockets.ok() && ::pipe2(ends, O_CLOEXEC) == 0) {
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const char mark = 0;
    if (send_with_fd(sockets->ours.get(), {&mark, 1}, reading.get()) &&
        ::dup2(sockets->theirs.get(), in.readHandle()) >= 0) {
      child.to = keep(writing.get());
      child.arenas = std::move(sockets->ours);
      return;
    }
  }
  child.to = keep(in.writeHandle());
}

Result<Child> start(EventLoop& launcher, const std::string& exe,
                    const std::vector<std::string>& arguments, bool is_low_priority) {
  try {
    Poco::Pipe in, out, err;
    Child child;
    connect(in, child);
    const pid_t pid = launch(exe, arguments, in, out, err);
    if (is_low_priority) lower_priority(pid, /*for_good=*/false);
    child.pid = pid;
    child.from = keep(out.readHandle());
    child.err = keep(err.readHandle());
    child.pidfd = open_pidfd(pid);
    child.is_low_priority = is_low_priority;
    if (child.to && child.from && child.err) return child;
    ::kill(pid, SIGKILL);
    reap_later(launcher, pid, std::move(child.pidfd));
    return Status(BENTO_RESOURCE_EXHAUSTED, "no descriptors left for its pipes");
  } catch (const Poco::Exception& e) {
    return Status(BENTO_INTERNAL, e.displayText());
  }
}

}  // namespace

void ProcessSpawner::spawn(const std::string& runner, std::uint32_t worker, bool is_low_priority,
                           Done done) {
  launcher_->post([launcher = launcher_.get(), exe = exe_, file = file_, runner, worker,
                   is_low_priority, done = std::move(done)] {
    std::string image = file.mapped();
    if (file.copy != nullptr) {  // a cleaner of temporary files may have deleted it
      auto restored = file.copy->restore();
      if (!restored.ok()) return done(std::move(restored).take_status());
      image = *std::move(restored);
    }
    done(start(
        *launcher, exe,
        {"runner", file.path, runner, std::to_string(worker), image, std::to_string(::getpid())},
        is_low_priority));
  });
}

}  // namespace bentohost::runner
