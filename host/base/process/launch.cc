#include "base/process/launch.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <Poco/Process.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace bentohost {
namespace {

constinit thread_local bool is_launching = false;

// Of descriptors, while a child starts: what a dynamic linker needs, and then some.
constexpr rlim_t kFew = 1024;

// [child of fork(), before Poco goes on] All descriptors go with exec(), and Poco has few numbers
// to try. Where there is no close_range(2) it has them all.
void prepare_child() {
  if (!is_launching || ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_cur, kFew);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// It outlives no library: this is the program's own.
const int is_registered = ::pthread_atfork(nullptr, nullptr, &prepare_child);

// Valgrind and emulators answer readlink() as if there were none of them, and nothing else.
std::string find_own_program() {
  const std::string link = "/proc/self/exe";
  std::error_code ignored;
  const std::string path = std::filesystem::read_symlink(link, ignored).string();
  const bool is_another = std::filesystem::exists(path, ignored) &&
                          !std::filesystem::equivalent(path, link, ignored) && !ignored;
  return is_another ? path : link;
}

}  // namespace

const std::string& own_program() {
  static const auto* const found = new std::string(find_own_program());
  return *found;
}

pid_t launch(const std::string& exe, const std::vector<std::string>& arguments, Poco::Pipe& in,
             Poco::Pipe& out, Poco::Pipe& err) {
  // The child could only tell by an exit code (Poco's 72).
  if (::access(exe.c_str(), X_OK) != 0) {
    throw Poco::SystemException("cannot execute " + exe, std::generic_category().message(errno));
  }
  struct Launching {
    Launching() {
      is_launching = is_registered == 0;
      sigset_t all;
      sigfillset(&all);
      ::pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Launching() {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      is_launching = false;
    }
    sigset_t before;
  } const scope;
  return Poco::Process::launch(exe, arguments, &in, &out, &err).id();
}

}  // namespace bentohost
