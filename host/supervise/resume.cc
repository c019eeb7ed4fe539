#include "supervise/resume.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <utility>

#include "supervise/sockets.h"

namespace bentohost::supervise {

std::string to_text(const Resumed& resumed) {
  return std::to_string(::getpid()) + " " + std::to_string(resumed.serving) + " " +
         std::to_string(resumed.control) + " " + to_text(resumed.restarts);
}

std::optional<Resumed> take_resumed() {
  const char* const text = std::getenv("BENTOHOST_RESUME");
  if (text == nullptr) return std::nullopt;
  std::istringstream in{std::string(text)};
  ::unsetenv("BENTOHOST_RESUME");
  Resumed resumed;
  pid_t for_whom = -1;
  std::string restarts;
  if (!(in >> for_whom >> resumed.serving >> resumed.control) || for_whom != ::getpid()) {
    return std::nullopt;
  }
  in >> restarts;
  resumed.restarts = parse_restart_counts(restarts);
  return resumed;
}

Status execute_again(const Program& program, const std::vector<http::Listener>& listeners,
                     const Resumed& resumed) {
  std::vector<std::string> arguments = program.arguments, environment;
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  for (std::string& each : socket_variables(listeners)) environment.push_back(std::move(each));
  environment.push_back("BENTOHOST_RESUME=" + to_text(resumed));
  std::vector<int> fds{resumed.control};
  for (const http::Listener& each : listeners) fds.push_back(each.fd.get());
  for (const int fd : fds) ::fcntl(fd, F_SETFD, 0);
  ::execve(program.exe.c_str(), pointers(arguments).data(), pointers(environment).data());
  const int error = errno;
  for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Status(BENTO_UNAVAILABLE,
                "cannot execute " + program.exe + ": " + std::generic_category().message(error));
}

}  // namespace bentohost::supervise
