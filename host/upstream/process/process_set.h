// ProcessSet: what AppProcesses is made of. A mount has `processes` slots; a slot has a process
// that starts or serves, perhaps a successor of it that is starting, or the time of the next start.
// Processes that were replaced are retired: they serve their last requests and are stopped.
//
// All on one loop, except the ProcessSummary, which any thread may ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/loop/timer_queue.h"
#include "base/status.h"
#include "mount/app_spec.h"
#include "upstream/process/app_process.h"
#include "upstream/process/app_processes.h"
#include "upstream/process/app_servers.h"
#include "upstream/process/process_summary.h"
#include "upstream/process/restart_policy.h"
#include "upstream/process/start_planner.h"

namespace bentohost::upstream {

class ProcessSet final : private Timer::Owner, public std::enable_shared_from_this<ProcessSet> {
 public:
  // From SIGKILL at stop()'s deadline, until processes that have not died are left behind.
  static constexpr Duration kLongestKill = std::chrono::seconds(1);
  // A retired process is stopped after this even if it still has requests.
  static constexpr Duration kLongestDrain = std::chrono::minutes(5);
  static constexpr Duration kRecycleCheck = std::chrono::seconds(1);

  ProcessSet(mount::Mount mount, std::shared_ptr<AppServers> servers,
             std::shared_ptr<EventLoop> loop, AppProcessesOptions options);
  ~ProcessSet();

  EventLoop& loop() const { return *loop_; }
  ProcessSummary& summary() { return summary_; }  // [any]

  void start();
  void stop(TimePoint deadline);

 private:
  enum class Role { kCurrent, kSuccessor, kRetired };
  struct Running;
  struct Slot {
    Running* current = nullptr;
    Running* successor = nullptr;
    RestartPolicy policy;
    TimePoint start_at = kNoDeadline;  // while there is no current
    TimePoint recycle_at{};            // not before
    std::string recycle_reason, restart_reason;
    std::string last_end;  // "it exited with code 1"
  };

  void on_timer() override;
  void arm();

  void start_in(std::size_t slot, Role role);
  void on_ready(Running& running);
  void on_ended(Running& running, const AppEnd& end);
  void on_gone(Running& running);
  void on_failed(std::size_t slot, Role role, const AppEnd& end);
  void retire(Running& running);
  void stop_soon(Running& running, TimePoint when);
  void erase(const Running* running);
  void recycle(TimePoint now);
  std::string reason_to_recycle(const Running& running) const;
  void update();  // what the proxy, the metrics and the summary say
  std::size_t ready_count() const;
  std::string why_down(TimePoint now, Duration& retry_after) const;

  const mount::Mount mount_;
  const std::string title_;  // "mount /old (wsgi:flask_app:app)"
  const std::shared_ptr<AppServers> servers_;
  const std::shared_ptr<EventLoop> loop_;
  const std::string exe_;
  const std::function<void(std::string_view reason)> restarted_;

  ProcessSummary summary_;
  StartPlanner planner_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Running>> all_;
  bool was_warm_ = false, has_failed_ = false, is_stopping_ = false;
  TimePoint kill_at_ = kNoDeadline, give_up_at_ = kNoDeadline, recycle_check_at_ = kNoDeadline;
  std::uint64_t next_id_ = 1;
  Timer timer_;
  std::shared_ptr<ProcessSet> self_;  // while there are processes
};

}  // namespace bentohost::upstream
