#include "upstream/process/process_set.h"

#include <algorithm>
#include <ratio>
#include <utility>

#include "base/log.h"
#include "upstream/process/interpreter_version.h"
#include "upstream/process/process_tree.h"

namespace bentohost::upstream {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string title_of(const mount::Mount& mount) {
  const mount::AppSpec& app = mount.app;
  return "mount " + place_of(mount) + " (" + std::string(mount::name_of(app.kind)) + ":" +
         (app.kind == mount::AppKind::kHttp ? joined(app.command) : app.app) + ")";
}

// "the app exited with code 1 before it answered; its last lines: ..."
std::string whole_story(const AppEnd& end) {
  const std::string text = end.why.starts_with("it ") ? "the app" + end.why.substr(2) : end.why;
  return end.last_lines.empty() ? text : text + "; its last lines: " + end.last_lines;
}

// " in 0.4 s", "" for at once.
std::string in_tenths(Duration time) {
  using Tenths = std::chrono::duration<std::int64_t, std::deci>;
  const auto tenths = std::chrono::round<Tenths>(time);
  return tenths.count() == 0 ? "" : " in " + seconds_text(tenths);
}

}  // namespace

struct ProcessSet::Running final : AppProcess::Owner {
  Running(ProcessSet& owner, std::size_t its_slot, Role its_role, AppStart start)
      : set(owner),
        id(owner.next_id_++),
        slot(its_slot),
        role(its_role),
        process(owner.loop(), std::move(start), *this) {}

  void on_ready() override { set.on_ready(*this); }
  void on_ended(const AppEnd& end) override { set.on_ended(*this, end); }
  void on_gone() override { set.on_gone(*this); }

  ProcessSet& set;
  const std::uint64_t id;
  const std::size_t slot;
  Role role;
  std::optional<AppServers::ServerId> server;
  TimePoint stop_at = kNoDeadline;
  AppProcess process;
};

ProcessSet::ProcessSet(mount::Mount mount, std::shared_ptr<AppServers> servers,
                       std::shared_ptr<EventLoop> loop, AppProcessesOptions options)
    : mount_(std::move(mount)),
      title_(title_of(mount_)),
      servers_(std::move(servers)),
      loop_(std::move(loop)),
      exe_(std::move(options.exe)),
      restarted_(std::move(options.restarted)),
      planner_(mount_, {std::move(options.extra_environment), std::move(options.python_path),
                        std::move(options.socket_parent)}),
      slots_(std::max(1u, mount_.app.processes)),
      timer_(loop_->timers(), *this) {}

ProcessSet::~ProcessSet() = default;

void ProcessSet::start() {
  if (is_stopping_) return;
  self_ = shared_from_this();
  update();
  for (std::size_t slot = 0; slot < slots_.size() && !has_failed_; ++slot) {
    start_in(slot, Role::kCurrent);
  }
  if (!planner_.interpreter().empty()) {
    log_interpreter(*loop_, title_, planner_.interpreter());
  }
  if (mount_.app.max_memory != 0 || mount_.app.max_requests != 0) {
    recycle_check_at_ = loop_->clock().now() + kRecycleCheck;
  }
  arm();
}

void ProcessSet::start_in(std::size_t slot, Role role) {
  slots_[slot].start_at = kNoDeadline;
  auto plan = planner_.plan();
  Status status = plan.status();
  if (plan.ok()) {
    all_.push_back(std::make_unique<Running>(*this, slot, role, *std::move(plan)));
    Running& running = *all_.back();
    status = running.process.start(exe_);
    if (status.ok()) {
      (role == Role::kCurrent ? slots_[slot].current : slots_[slot].successor) = &running;
      return;
    }
    all_.pop_back();
  }
  on_failed(slot, role, {"it could not be started: " + status.message(), {}, "no_start", {}, {}});
}

void ProcessSet::on_ready(Running& running) {
  if (is_stopping_) return;
  Slot& slot = slots_[running.slot];
  running.server = servers_->add(running.process.address());
  log_info(title_ + ": a process is ready after " + in_seconds(running.process.start_time()),
           {{"pid", running.process.pid()}});
  if (running.role == Role::kSuccessor) {
    if (slot.current != nullptr) retire(*slot.current);
    slot.successor = nullptr;
    running.role = Role::kCurrent;
    slot.current = &running;
    if (restarted_) restarted_(slot.recycle_reason);
  }
  update();
  arm();
}

void ProcessSet::on_ended(Running& running, const AppEnd& end) {
  if (running.server) servers_->remove(*running.server);
  running.server.reset();
  Slot& slot = slots_[running.slot];
  if (slot.current == &running) slot.current = nullptr;
  if (slot.successor == &running) slot.successor = nullptr;
  if (!is_stopping_ && running.role != Role::kRetired) on_failed(running.slot, running.role, end);
  update();
  arm();
}

// A process has died, or could not be started.
void ProcessSet::on_failed(std::size_t index, Role role, const AppEnd& end) {
  Slot& slot = slots_[index];
  const TimePoint now = loop_->clock().now();
  const std::string message = title_ + ": " + whole_story(end);
  slot.last_end = end.why;
  if (!was_warm_) {
    has_failed_ = true;
    log_error(message);
    summary_.fail_first_start(Status(BENTO_FAILED_PRECONDITION, message));
    return update();
  }
  const Duration delay = slot.policy.next({end.served, end.exit_code});
  if (role == Role::kCurrent && slot.successor != nullptr) {  // it is on its way already
    slot.current = std::exchange(slot.successor, nullptr);
    slot.current->role = Role::kCurrent;
    log_error(message + "; its successor is starting");
    if (restarted_) restarted_(end.reason);
    return;
  }
  if (role == Role::kSuccessor) {
    slot.recycle_at = now + delay;
    log_warning(message + "; the process that it was to replace goes on");
    return;
  }
  slot.start_at = now + delay;
  slot.restart_reason = end.reason;
  log_error(message + "; it starts again" + in_tenths(delay));
}

void ProcessSet::on_gone(Running& running) {
  loop_->post([self = shared_from_this(), which = &running] { self->erase(which); });
}

void ProcessSet::erase(const Running* which) {
  std::erase_if(all_, [&](const auto& each) { return each.get() == which; });
  if (is_stopping_ && all_.empty()) {
    planner_.finish();
    timer_.clear();
    summary_.set_gone();
    self_.reset();
  }
}

void ProcessSet::retire(Running& running) {
  running.role = Role::kRetired;
  running.stop_at = loop_->clock().now() + kLongestDrain;
  if (!running.server) return;
  const std::weak_ptr<ProcessSet> weak = weak_from_this();
  servers_->retire(*running.server, [weak, loop = loop_, id = running.id] {
    loop->post([weak, id] {
      const auto set = weak.lock();
      if (set == nullptr) return;
      for (const auto& each : set->all_) {
        if (each->id == id) set->stop_soon(*each, TimePoint{});
      }
    });
  });
}

// Stops it at `when`, if it is not stopped before.
void ProcessSet::stop_soon(Running& running, TimePoint when) {
  running.stop_at = std::min(running.stop_at, when);
  arm();
}

void ProcessSet::stop(TimePoint deadline) {
  const TimePoint now = loop_->clock().now();
  is_stopping_ = true;
  kill_at_ = std::min(kill_at_, deadline);
  give_up_at_ = std::max(kill_at_, now) + kLongestKill;
  recycle_check_at_ = kNoDeadline;
  for (Slot& slot : slots_) slot = Slot{};
  for (const auto& each : all_) {
    const bool is_serving = each->process.state() == AppProcess::State::kReady;
    if (is_serving && each->role != Role::kRetired) retire(*each);
    stop_soon(*each, is_serving ? deadline - mount_.app.stop_timeout : now);
  }
  update();
  erase(nullptr);
  arm();
}

void ProcessSet::on_timer() {
  const auto self = shared_from_this();  // erase() may drop the last pointer
  const TimePoint now = loop_->clock().now();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].start_at > now) continue;
    log_info(title_ + ": a process is started again", {{"reason", slots_[slot].restart_reason}});
    if (restarted_) restarted_(slots_[slot].restart_reason);
    start_in(slot, Role::kCurrent);
    update();
  }
  for (const auto& each : all_) {
    if (each->stop_at <= now) each->process.stop();
    if (each->stop_at <= now) each->stop_at = kNoDeadline;
    if (kill_at_ <= now) each->process.kill();
  }
  if (kill_at_ <= now) kill_at_ = kNoDeadline;
  if (give_up_at_ <= now) {
    for (const auto& each : all_) {
      log_error(title_ + ": a process does not die of SIGKILL; it is left behind",
                {{"pid", each->process.pid()}});
    }
    all_.clear();
    return erase(nullptr);
  }
  if (recycle_check_at_ <= now) recycle(now);
  arm();
}

void ProcessSet::arm() {
  TimePoint next = std::min({kill_at_, give_up_at_, recycle_check_at_});
  for (const Slot& slot : slots_) next = std::min(next, slot.start_at);
  for (const auto& each : all_) next = std::min(next, each->stop_at);
  if (self_ == nullptr || next == kNoDeadline) return timer_.clear();
  timer_.set(next);
}

// At most one process at a time is replaced, so that the mount never needs twice its memory.
void ProcessSet::recycle(TimePoint now) {
  recycle_check_at_ = now + kRecycleCheck;
  const auto is_busy = [](const auto& each) {
    return each->role != Role::kCurrent || each->process.state() != AppProcess::State::kReady;
  };
  if (std::any_of(all_.begin(), all_.end(), is_busy)) return;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (slot.current == nullptr || slot.recycle_at > now) continue;
    slot.recycle_reason = reason_to_recycle(*slot.current);
    if (slot.recycle_reason.empty()) continue;
    log_info(title_ + ": a process is replaced by a new one",
             {{"pid", slot.current->process.pid()}, {"reason", slot.recycle_reason}});
    return start_in(index, Role::kSuccessor);
  }
}

std::string ProcessSet::reason_to_recycle(const Running& running) const {
  const mount::AppSpec& app = mount_.app;
  if (app.max_requests != 0 && running.server &&
      servers_->served(*running.server) >= app.max_requests) {
    return "requests";
  }
  if (app.max_memory != 0 && memory_of_tree(running.process.pid()) > app.max_memory) {
    return "memory";
  }
  return {};
}

std::size_t ProcessSet::ready_count() const {
  return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.current != nullptr && slot.current->process.state() == AppProcess::State::kReady;
  }));
}

std::string ProcessSet::why_down(TimePoint now, Duration& retry_after) const {
  retry_after = std::chrono::seconds(1);
  if (is_stopping_) return "it is stopping";
  std::string why;
  TimePoint next = kNoDeadline;
  for (const Slot& slot : slots_) {
    if (!slot.last_end.empty()) why = slot.last_end;
    next = std::min(next, slot.current != nullptr ? now : slot.start_at);
  }
  if (why.empty()) return "it is starting";
  if (has_failed_ || next == kNoDeadline) return why;
  if (next <= now) return why + "; it is starting again";
  retry_after = std::max<Duration>(next - now, retry_after);
  return why + "; it starts again" + in_tenths(next - now);
}

void ProcessSet::update() {
  const std::size_t ready = ready_count();
  Duration retry_after{};
  const std::string why = why_down(loop_->clock().now(), retry_after);
  if (ready == 0) {
    servers_->set_reason("the app at " + place_of(mount_) + " is not running: " + why, retry_after);
  }
  if (ready == slots_.size()) was_warm_ = true;
  const bool is_down = was_warm_ || has_failed_ || is_stopping_;
  const Status status(BENTO_UNAVAILABLE, title_ + ": " + why);
  summary_.set(ready == slots_.size() ? Result<bool>(true)
               : is_down              ? Result<bool>(status)
                                      : Result<bool>(false),
               ready > 0 ? Status() : status);
}

}  // namespace bentohost::upstream
