// User output: what code of plugins prints on stdout and stderr of the process that serves, and
// what children of that code print, comes line by line into the log, as runners' output does.
// Descriptors 1 and 2 become pipes for it, which a thread reads, however much it is; the host
// itself writes to what they were, under other numbers.
//
// One in a process, for as long as plugins may print.
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
  // Takes the descriptors. Where there are no more of them all stays as it is.
  UserOutput();
  ~UserOutput();  // end()
  UserOutput(const UserOutput&) = delete;
  UserOutput& operator=(const UserOutput&) = delete;

  // What stdout and stderr were.
  int out_fd() const { return streams_[0].was ? streams_[0].was.get() : 1; }
  int err_fd() const { return streams_[1].was ? streams_[1].was.get() : 2; }

  // When the log is configured: from now on it is read.
  void start();
  // What has been printed is in the log, and the descriptors are what they were.
  void end();

  // [signal handler] Writes to the log what has been printed and is not in it yet; nothing is read
  // afterwards.
  static void flush_in_crash(LogFormat format, std::string_view component);

 private:
  struct Stream {
    explicit Stream(std::string_view its_name) : name(its_name), relay(std::string(its_name)) {}

    std::string_view name;
    UniqueFd was;   // the descriptor's old self, close-on-exec
    UniqueFd from;  // the pipe's end to be read
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

// What printf() has left in stdout's buffer is printed, unless a thread is in the middle of that.
void flush_stdout();

}  // namespace bentohost
