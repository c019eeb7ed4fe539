#include "upstream/process/start_planner.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "upstream/process/find_program.h"

extern char** environ;

namespace bentohost::upstream {
namespace {

Variables environment_of_host() {
  Variables variables;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view text = *each;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

// Nobody can have it reserved: another program may take it before the app does.
Result<std::uint16_t> find_free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "no free port: " + std::generic_category().message(errno));
  }
  return ::ntohs(name.sin_port);
}

// Leaves a socket's file on which nobody listens. uvicorn takes it over, with its mode. If its
// start fails, it removes the file of its socket, and before
// some later version a missing file is an exception whose traceback buries the reason.
void leave_stale_socket(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) {
    ::chmod(path.c_str(), 0700);
  }
}

}  // namespace

std::string place_of(const mount::Mount& mount) {
  return mount.prefix.empty() ? "/" : mount.prefix;
}

StartPlanner::StartPlanner(const mount::Mount& mount, PlanOptions options)
    : mount_(mount),
      options_(std::move(options)),
      host_environment_(environment_of_host()),
      path_(value_of(mount.app.environment, "PATH")) {
  std::error_code ignored;
  if (path_.empty()) path_ = value_of(host_environment_, "PATH");
  if (mount_.app.folder.empty()) mount_.app.folder = std::filesystem::current_path(ignored);
}

Result<AppStart> StartPlanner::plan() {
  const mount::AppSpec& app = mount_.app;
  if (!folder_) {
    auto folder = SocketFolder::create(options_.socket_parent);
    if (!folder.ok()) return std::move(folder).take_status();
    folder_ = *std::move(folder);
  }
  auto socket = folder_->fresh();
  if (!socket.ok()) return std::move(socket).take_status();
  CommandInput input{
      {}, *socket, 0, host_environment_, options_.extra_environment, options_.python_path};
  if (takes_port(app)) {
    auto port = find_free_port();
    if (!port.ok()) return std::move(port).take_status();
    input.port = *port;
  }
  if (app.kind != mount::AppKind::kHttp) {
    auto interpreter = find_interpreter(app, path_);
    if (!interpreter.ok()) return std::move(interpreter).take_status();
    input.interpreter = *std::move(interpreter);
  }
  interpreter_ = input.interpreter;
  AppCommand command = command_for(mount_, input);
  if (command.arguments.empty()) {
    return Status(BENTO_INVALID_ARGUMENT, "the mount names no command");
  }
  auto program = find_program(command.arguments.front(), path_, app.folder);
  if (!program.ok()) return std::move(program).take_status();

  if (app.kind == mount::AppKind::kAsgi) leave_stale_socket(*socket);
  AppStart start;
  start.message = {*std::move(program), std::move(command.arguments), {},
                   app.folder,          *std::move(socket),           app.stop_timeout};
  for (const auto& [name, value] : command.environment) {
    start.message.environment.push_back(name + "=" + value);
  }
  start.stream = "mount " + place_of(mount_);
  start.addresses = std::move(command.addresses);
  start.ready_target = std::move(command.ready_target);
  start.start_timeout = app.start_timeout;
  return start;
}

}  // namespace bentohost::upstream
