// UserOutput: brings what plugins print on stdout and stderr of the serving process, and what their
// child processes print, into the log line by line, like the output of runners. Descriptors 1 and 2
// become pipes that a thread reads, however much is printed. The host itself writes to the original
// stdout and stderr under other numbers.
//
// One per process, for as long as plugins may print.
#pragma once

#include <array>
#include <atomic>
#include <string_view>
#include <thread>

#include "base/process/line_relay.h"
#include "base/unique_fd.h"

namespace bentohost {

class UserOutput {
 public:
  // Takes over the descriptors. If the process has no free ones, all stays as it is.
  UserOutput();
  ~UserOutput();  // end()
  UserOutput(const UserOutput&) = delete;
  UserOutput& operator=(const UserOutput&) = delete;

  // The original stdout and stderr.
  int out_fd() const { return streams_[0].was ? streams_[0].was.get() : 1; }
  int err_fd() const { return streams_[1].was ? streams_[1].was.get() : 2; }

  // Starts reading. Call when the log is configured.
  void start();
  // Logs what has been printed so far, and restores the descriptors.
  void end();

  // [signal handler] Logs the output that has not been logged yet; nothing is read afterwards.
  static void flush_in_crash(LogFormat format, std::string_view component);

 private:
  struct Stream {
    explicit Stream(std::string_view its_name) : name(its_name), relay(std::string(its_name)) {}

    std::string_view name;
    UniqueFd was;   // the original descriptor, close-on-exec
    UniqueFd from;  // the pipe's read end
    LineRelay relay;
  };

  void run();
  void read_all();
  bool take_reading();
  void flush_stream(Stream& stream, LogFormat format, std::string_view component);

  std::array<Stream, 2> streams_{Stream("stdout"), Stream("stderr")};
  UniqueFd wake_;
  // Set while a thread reads from the pipes. A crash sets it for good.
  std::atomic_flag is_reading_;
  std::atomic<bool> is_ending_ = false, is_crashing_ = false;
  std::thread thread_;
};

// Flushes stdout's buffer, unless another thread is writing to stdout.
void flush_stdout();

}  // namespace bentohost
