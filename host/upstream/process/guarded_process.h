// GuardedProcess: a program below a guardian, as the host sees it. It starts the program, relays
// its output to the log, reports its end, and stops it. If the guardian is killed, it kills the
// program's processes itself. All on one loop.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/loop/timer_queue.h"
#include "base/process/line_relay.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "upstream/process/start_message.h"

namespace bentohost::upstream {

// How a program ended.
struct ProgramEnd {
  std::string text;           // "exited with code 1"
  std::string reason;         // for metrics: "exit_1", "SIGKILL", "no_start", "no_guardian"
  std::optional<int> status;  // of waitpid(2); none if it could not be executed or is not known
};

class GuardedProcess final : private Timer::Owner {
 public:
  class Owner {
   public:
    // Once: the program's first process has ended, or it could not be executed. Its output up to
    // then has been read. Processes of it may be left for half a second.
    virtual void on_ended(const ProgramEnd& end) = 0;
    // Once, after on_ended(): nothing of it is left. The owner may not destroy it in here.
    virtual void on_gone() = 0;

   protected:
    ~Owner() = default;
  };

  // The environment of `message` gets one more variable, by which its processes are known. `name`
  // is the stream's name in the log.
  GuardedProcess(EventLoop& loop, StartMessage message, std::string name, Owner& owner);
  ~GuardedProcess();  // the guardian then ends what is left

  // Starts the guardian, which is the program `exe`. After an error nothing is called.
  Status start(const std::string& exe);
  // SIGTERM now, and SIGKILL after the message's grace time.
  void stop();
  void kill();  // SIGKILL now

  pid_t pid() const { return app_; }  // of the program's first process; -1: not known yet
  pid_t guardian() const { return guardian_; }
  bool is_gone() const { return is_gone_; }
  // Its last lines on stdout and stderr, joined by " | ". Reads what is there to be read.
  std::string last_lines();

 private:
  void on_timer() override { sweep(); }
  Status send_start_message();
  void command(char what);
  void read_reports();
  void on_report(std::string_view line);
  void on_end_of_reports();
  void read_output();
  void end(ProgramEnd end);
  void sweep();
  void be_gone();

  EventLoop& loop_;
  StartMessage message_;
  Owner& owner_;
  std::string mark_;  // the additional variable
  LineRelay output_;
  UniqueFd to_, reports_, err_;
  std::string partial_report_;
  pid_t guardian_ = -1, app_ = -1;
  bool has_ended_ = false, is_gone_ = false, has_said_gone_ = false;
  Timer sweep_timer_;
  TimePoint sweep_until_{};
};

}  // namespace bentohost::upstream
