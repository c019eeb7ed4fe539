// AppProcess: one process of a mounted app from its start to its end: starting, until it answers
// the readiness probe; ready; ended. It is a GuardedProcess with a ReadinessProbe and a deadline.
// All on one loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/loop/timer_queue.h"
#include "upstream/process/guarded_process.h"
#include "upstream/process/readiness_probe.h"

namespace bentohost::upstream {

struct AppStart {
  StartMessage message;
  std::string stream;                  // its name in the log's lines of output
  std::vector<std::string> addresses;  // see AppCommand
  std::string ready_target;
  Duration start_timeout{};
};

struct AppEnd {
  std::string why;                 // "it exited with code 1 before it answered"
  std::string last_lines;          // of its output, joined by " | "
  std::string reason;              // for metrics: a ProgramEnd's, or "start_timeout"
  std::optional<Duration> served;  // from ready to the end; none if it was never ready
  std::optional<int> exit_code;    // none if a signal killed it
};

class AppProcess final : private GuardedProcess::Owner,
                         private ReadinessProbe::Owner,
                         private Timer::Owner {
 public:
  enum class State { kStarting, kReady, kEnded, kGone };

  class Owner {
   public:
    virtual void on_ready() = 0;
    // Once, from kStarting or kReady. What is left of it is being killed.
    virtual void on_ended(const AppEnd& end) = 0;
    // Once, last: nothing of it is left. The owner may not destroy it in here.
    virtual void on_gone() = 0;

   protected:
    ~Owner() = default;
  };

  AppProcess(EventLoop& loop, AppStart start, Owner& owner);

  Status start(const std::string& exe);  // after an error, nothing is called
  void stop() { process_.stop(); }       // SIGTERM, and SIGKILL after the grace time
  void kill() { process_.kill(); }

  State state() const { return state_; }
  const std::string& address() const { return address_; }  // once it is ready
  pid_t pid() const { return process_.pid(); }
  pid_t guardian() const { return process_.guardian(); }
  Duration start_time() const { return ready_at_ - started_at_; }  // until it was ready

 private:
  void on_ended(const ProgramEnd& end) override;
  void on_gone() override;
  void on_answer(const std::string& address, int http_status) override;
  void on_timer() override;  // the start's deadline
  void end(AppEnd end);

  EventLoop& loop_;
  const AppStart start_;
  AppProcess::Owner& owner_;
  State state_ = State::kStarting;
  TimePoint started_at_{}, ready_at_{};
  std::string address_;
  GuardedProcess process_;
  std::unique_ptr<ReadinessProbe> probe_;
  Timer deadline_;
};

// [any] What a first answer of 500 and the output with it say about the app's kind: "" or "it is an
// ASGI app, mounted as WSGI". Pure.
std::string wrong_interface(std::string_view output);

}  // namespace bentohost::upstream
