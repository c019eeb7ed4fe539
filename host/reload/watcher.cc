#include "reload/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/process/host_thread.h"
#include "reload/watch_paths.h"

namespace bentohost::reload {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_MOVED_TO |
                                  IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
                                  IN_MOVE_SELF | IN_ONLYDIR;
// How often missing folders are looked for: they may appear, or go away and come back.
constexpr Duration kLookAgain = std::chrono::seconds(1);

}  // namespace

Status Watcher::start() {
  inotify_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  over_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!inotify_ || !over_) {
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "--reload: cannot watch files: " + std::generic_category().message(errno) +
                      " (sysctl fs.inotify.max_user_instances)");
  }
  if (Status status = watch_folders(); !status.ok()) return status;
  thread_ = start_host_thread("plugin-watcher", [this] { run(); });
  return {};
}

void Watcher::stop() {
  if (!thread_.joinable()) return;
  ::eventfd_write(over_.get(), 1);
  thread_.join();
}

// Updates the set of watched folders: a link that was switched leads elsewhere.
Status Watcher::watch_folders() {
  std::set<std::string> wanted;
  for (const auto& [name, path] : files_) wanted.merge(folders_to_watch(path));
  for (const auto& [name, path] : more_()) wanted.merge(folders_to_watch(path));
  std::erase_if(watches_, [&](const auto& watch) {
    if (wanted.contains(watch.first)) return false;
    ::inotify_rm_watch(inotify_.get(), watch.second);
    return true;
  });
  for (const std::string& folder : wanted) {
    const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
    if (watch >= 0) {
      const auto [at, is_new] = watches_.try_emplace(folder, watch);
      has_new_folders_ = has_new_folders_ || is_new || at->second != watch;
      at->second = watch;
    } else if (errno == ENOSPC || errno == ENOMEM) {
      return Status(BENTO_RESOURCE_EXHAUSTED,
                    "--reload: cannot watch " + folder +
                        ": no watches left (sysctl fs.inotify.max_user_watches)");
    }
  }
  return {};
}

// Reads all pending events; returns whether there were any.
bool Watcher::take_events() {
  alignas(inotify_event) char buffer[16384];
  bool any = false;
  while (::read(inotify_.get(), buffer, sizeof buffer) > 0) any = true;
  return any;
}

void Watcher::run() {
  const SteadyClock clock;
  bool is_due = false;
  TimePoint due{}, longest{}, look_at = clock.now() + kLookAgain;
  for (;;) {
    const Duration wait = (is_due ? std::min(due, look_at) : look_at) - clock.now();
    const auto rounded =
        std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, Duration::zero()));
    pollfd fds[] = {{inotify_.get(), POLLIN, 0}, {over_.get(), POLLIN, 0}};
    ::poll(fds, 2, static_cast<int>(rounded.count()));
    if (fds[1].revents != 0) return;
    const TimePoint now = clock.now();
    if (now >= look_at) {
      look_at = now + kLookAgain;
      (void)watch_folders();
    }
    if (take_events() || std::exchange(has_new_folders_, false)) {
      if (!std::exchange(is_due, true)) longest = now + kLongest;
      due = std::min(now + kQuiet, longest);
    }
    if (!is_due || now < due) continue;
    is_due = false;
    if (Status status = watch_folders(); !status.ok()) log_warning(status.message());
    for (const auto& [name, path] : files_) on_change_(name);
  }
}

}  // namespace bentohost::reload
