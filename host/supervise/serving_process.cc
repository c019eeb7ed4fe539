#include "supervise/serving_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "supervise/sockets.h"

namespace bentohost::supervise {
namespace {

constexpr std::array<std::string_view, 5> kOurs{
    "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "BENTOHOST_SERVING=", "BENTOHOST_RESUME="};

// Descriptors that stay open in the child, under the same numbers.
struct FileActions {
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void keep(int fd) { ::posix_spawn_file_actions_adddup2(&actions, fd, fd); }

  posix_spawn_file_actions_t actions;
};

struct Attributes {
  Attributes() {
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    sigdelset(&blocked, SIGCHLD);
    sigdelset(&blocked, SIGUSR1);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &blocked);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  posix_spawnattr_t attributes;
};

}  // namespace

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string to_text(const Orders& orders) {
  const auto beat = std::chrono::duration_cast<std::chrono::milliseconds>(orders.beat);
  return std::to_string(orders.supervisor) + " " + std::to_string(orders.control) + " " +
         (orders.take_over ? "take_over " : "start ") + std::to_string(beat.count()) + " " +
         to_text(orders.restarts);
}

std::optional<Orders> parse_orders(std::string_view text) {
  std::istringstream in{std::string(text)};
  Orders orders;
  std::string mode, restarts;
  std::int64_t beat = 0;
  if (!(in >> orders.supervisor >> orders.control >> mode >> beat) || beat < 0) return std::nullopt;
  in >> restarts;
  orders.take_over = mode == "take_over";
  orders.beat = std::chrono::milliseconds(beat);
  orders.restarts = parse_restart_counts(restarts);
  return orders;
}

std::vector<std::string> environment_for_children() {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view assignment = *each;
    const bool is_ours = std::any_of(kOurs.begin(), kOurs.end(), [&](std::string_view prefix) {
      return assignment.starts_with(prefix);
    });
    if (!is_ours && !is_socket_variable(assignment)) all.emplace_back(assignment);
  }
  return all;
}

bool is_stopped(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  // "12 (name) T ..."; the name may contain brackets.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return false;
  const char state = stat[name_end + 2];
  return state == 'T' || state == 't';
}

Result<ServingProcess> start_serving(const Program& program,
                                     const std::vector<http::Listener>& listeners, Orders orders,
                                     TimePoint now) {
  auto made = Control::make();
  if (!made.ok()) return std::move(made).take_status();
  auto [control, theirs] = *std::move(made);
  orders.supervisor = ::getpid();
  orders.control = theirs.get();

  FileActions files;
  files.keep(theirs.get());
  for (const http::Listener& each : listeners) files.keep(each.fd.get());
  std::vector<std::string> environment = environment_for_children();
  for (std::string& each : socket_variables(listeners)) environment.push_back(std::move(each));
  environment.push_back("BENTOHOST_SERVING=" + to_text(orders));
  std::vector<std::string> arguments = program.arguments;

  ServingProcess process;
  const Attributes attributes;
  const int error =
      ::posix_spawn(&process.pid, program.exe.c_str(), &files.actions, &attributes.attributes,
                    pointers(arguments).data(), pointers(environment).data());
  if (error != 0) {
    return Status(BENTO_UNAVAILABLE,
                  "cannot start " + program.exe + ": " + std::generic_category().message(error));
  }
  process.control = std::move(control);
  process.started = process.beat_at = now;
  return process;
}

}  // namespace bentohost::supervise
