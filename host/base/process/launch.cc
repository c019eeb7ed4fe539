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

// The limit of descriptors while a child starts: more than a dynamic linker needs.
constexpr rlim_t kFew = 1024;

// [child of fork(), before Poco goes on] Marks all descriptors close-on-exec and lowers their
// limit, so that Poco has few numbers to close. Without close_range(2), Poco closes them all.
void prepare_child() {
  if (!is_launching || ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_cur, kFew);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The handler can never be unloaded: it is in the program itself.
const int is_registered = ::pthread_atfork(nullptr, nullptr, &prepare_child);

// Valgrind and emulators fake readlink() of /proc/self/exe, but no other call on it.
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
  // After the fork, the child could report this only by an exit code (Poco's 72).
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
