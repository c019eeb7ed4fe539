// Runs the processes of a mount for a test: a loop with its thread, a AppServers that records, and
// what the test waits for. The apps are those of apps/app.py, run by /usr/bin/python3.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "upstream/process/app_processes.h"

namespace bentohost::upstream {

using namespace std::chrono_literals;

inline constexpr Duration kAtOnce = 10s;  // the machine may have other things to do

inline TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

inline bool eventually(const std::function<bool()>& is_true, Duration longest = kAtOnce) {
  for (const TimePoint end = in(longest); in(0s) < end;) {
    if (is_true()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return is_true();
}

// Zombies are dead.
inline bool is_alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);  // empty if the process ends meanwhile; an iterator would throw
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") Z") != 0;
}

class RecordingServers final : public AppServers {
 public:
  ServerId add(std::string address) override {
    const std::lock_guard lock(mutex_);
    servers_[++last_] = std::move(address);
    return last_;
  }
  void retire(ServerId server, std::function<void()> drained) override {
    {
      const std::lock_guard lock(mutex_);
      retired_.push_back(server);
      servers_.erase(server);
      if (!drains_at_once_) {
        undrained_[server] = std::move(drained);
        return;
      }
    }
    drained();
  }
  void remove(ServerId server) override {
    const std::lock_guard lock(mutex_);
    servers_.erase(server);
    undrained_.erase(server);
    removed_.push_back(server);
  }
  void set_reason(std::string reason, Duration retry_after) override {
    const std::lock_guard lock(mutex_);
    reason_ = std::move(reason);
    reasons_.push_back(reason_);
    retry_after_ = retry_after;
  }
  std::uint64_t served(ServerId) const override {
    const std::lock_guard lock(mutex_);
    return served_;
  }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return servers_.size();
  }
  ServerId last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::string address() const {  // of the newest
    const std::lock_guard lock(mutex_);
    return servers_.empty() ? "" : servers_.rbegin()->second;
  }
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }
  std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }
  Duration retry_after() const {
    const std::lock_guard lock(mutex_);
    return retry_after_;
  }
  std::vector<ServerId> retired() const {
    const std::lock_guard lock(mutex_);
    return retired_;
  }
  void set_served(std::uint64_t served) {
    const std::lock_guard lock(mutex_);
    served_ = served;
  }
  void hold_drain() {
    const std::lock_guard lock(mutex_);
    drains_at_once_ = false;
  }
  void drain_all() {
    std::map<ServerId, std::function<void()>> undrained;
    {
      const std::lock_guard lock(mutex_);
      undrained = std::move(undrained_);
      undrained_.clear();
    }
    for (const auto& [server, drained] : undrained) drained();
  }

 private:
  mutable std::mutex mutex_;
  std::map<ServerId, std::string> servers_;
  std::map<ServerId, std::function<void()>> undrained_;
  std::vector<ServerId> retired_, removed_;
  ServerId last_ = 0;
  std::string reason_;
  std::vector<std::string> reasons_;
  Duration retry_after_{};
  std::uint64_t served_ = 0;
  bool drains_at_once_ = true;
};

class ProcessesTest : public testing::Test {
 protected:
  ProcessesTest() {
    std::string name = testing::TempDir() + "/upstream-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    loop_->start();
  }
  ~ProcessesTest() override {
    stop(100ms);
    loop_->stop();
    std::filesystem::remove_all(folder_);
  }

  // A mount at /old of app.py with these words.
  mount::Mount mount_of(std::vector<std::string> words) const {
    mount::Mount mount;
    mount.prefix = "/old";
    mount.app.kind = mount::AppKind::kHttp;
    mount.app.command = {"/usr/bin/python3", TEST_APPS_DIR "/app.py", "{socket}"};
    for (std::string& word : words) mount.app.command.push_back(std::move(word));
    mount.app.folder = folder_;
    mount.app.start_timeout = 30s;
    mount.app.stop_timeout = 5s;
    return mount;
  }

  void start(mount::Mount mount, Variables extra = {}, std::vector<std::string> python_path = {}) {
    AppProcessesOptions options;
    options.exe = TEST_HELPER;
    options.extra_environment = std::move(extra);
    options.python_path = std::move(python_path);
    options.socket_parent = folder_;
    options.restarted = [this](std::string_view reason) {
      const std::lock_guard lock(mutex_);
      restarts_.emplace_back(reason);
    };
    processes_ = std::make_unique<AppProcesses>(
        std::move(mount), std::make_shared<AppServersOf<RecordingServers>>(servers_), loop_,
        std::move(options));
    processes_->start();
  }
  void stop(Duration within) {
    if (processes_ != nullptr) processes_->stop(in(within));
    processes_.reset();
  }

  bool is_warm() const {
    const auto warm = processes_->is_warm();
    return warm.ok() && *warm;
  }
  bool becomes_warm() const {
    return eventually([&] { return is_warm() || !processes_->may_get_ready().ok(); }, 30s) &&
           is_warm();
  }
  std::string first_failure() const {
    eventually([&] { return !processes_->may_get_ready().ok(); }, 30s);
    return processes_->may_get_ready().message();
  }
  std::vector<std::string> restarts() const {
    const std::lock_guard lock(mutex_);
    return restarts_;
  }

  // The numbers in the file that the word "pids:FILE" writes.
  std::vector<pid_t> pids(const std::string& file) const {
    eventually([&] { return std::filesystem::exists(file); }, 30s);
    std::ifstream in(file);
    std::vector<pid_t> found;
    for (pid_t pid = 0; in >> pid;) found.push_back(pid);
    return found;
  }
  std::string pids_file() const { return folder_ + "/pids"; }
  static bool all_end(const std::vector<pid_t>& those, Duration within) {
    return eventually(
        [&] {
          return std::none_of(those.begin(), those.end(), [](pid_t p) { return is_alive(p); });
        },
        within);
  }

  const SteadyClock clock_;
  std::string folder_;
  const std::shared_ptr<EventLoop> loop_ = std::make_shared<EventLoop>(clock_);
  const std::shared_ptr<RecordingServers> servers_ = std::make_shared<RecordingServers>();
  mutable std::mutex mutex_;
  std::vector<std::string> restarts_;
  std::unique_ptr<AppProcesses> processes_;
};

}  // namespace bentohost::upstream
