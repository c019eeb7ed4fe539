#include "base/process/user_output.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/process/host_thread.h"
#include "base/process/signal_safe_line.h"

// Defined in builds with a sanitizer, whose reports are not for the log.
extern "C" [[gnu::weak]] void __sanitizer_set_report_fd(void* fd);

namespace bentohost {
namespace {

constexpr std::size_t kAtOnce = 16u << 10;
// A bound on the reads of one stream at a time: a child may go on printing.
constexpr int kMostReads = 64;
// How long a crash report waits for the reading thread to log the output it has read.
constexpr int kReaderMs = 100;

std::atomic<UserOutput*> the_one = nullptr;

TimePoint now() { return std::chrono::steady_clock::now(); }

}  // namespace

void flush_stdout() {
  if (::ftrylockfile(stdout) != 0) return;
  ::fflush_unlocked(stdout);
  ::funlockfile(stdout);
}

UserOutput::UserOutput() {
  // Else output is seen only when 4 KiB are full, since a pipe is not a terminal.
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd old[2], reading[2], writing[2];
  for (int i = 0; i < 2; ++i) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    reading[i].reset(ends[0]);
    writing[i].reset(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    old[i].reset(::fcntl(i + 1, F_DUPFD_CLOEXEC, 3));
    if (!old[i]) return;
  }
  if (!wake_) return;
  for (int i = 0; i < 2; ++i) {
    Stream& stream = streams_[static_cast<std::size_t>(i)];
    ::dup2(writing[i].get(), i + 1);
    stream.was = std::move(old[i]);
    stream.from = std::move(reading[i]);
  }
  if (&__sanitizer_set_report_fd != nullptr) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): as its signature wants
    __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<std::intptr_t>(err_fd())));
  }
  the_one = this;
}

UserOutput::~UserOutput() { end(); }

void UserOutput::start() {
  if (!streams_[0].from) return;
  sigset_t all, before;
  sigfillset(&all);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, number);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = start_host_thread("user-output", [this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void UserOutput::end() {
  if (!streams_[0].from) return;
  flush_stdout();
  for (int i = 0; i < 2; ++i) ::dup2(streams_[static_cast<std::size_t>(i)].was.get(), i + 1);
  the_one = nullptr;
  is_ending_ = true;
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
  for (Stream& stream : streams_) stream.from.reset();
}

bool UserOutput::take_reading() {
  while (is_reading_.test_and_set()) {
    if (is_crashing_) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

void UserOutput::run() {
  while (!is_ending_) {
    pollfd fds[3] = {{wake_.get(), POLLIN, 0}};
    for (int i = 0; i < 2; ++i)
      fds[i + 1] = {streams_[static_cast<std::size_t>(i)].from.get(), POLLIN, 0};
    if (::poll(fds, 3, -1) < 0 && errno != EINTR) return;
    if (!take_reading()) return;
    read_all();
    is_reading_.clear();
  }
  if (!take_reading()) return;
  read_all();
  for (Stream& stream : streams_) stream.relay.finish(now());
  is_reading_.clear();
}

void UserOutput::read_all() {
  std::array<char, kAtOnce> buffer;
  for (Stream& stream : streams_) {
    for (int i = 0; i < kMostReads; ++i) {
      const ssize_t n = ::read(stream.from.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      stream.relay.feed({buffer.data(), static_cast<std::size_t>(n)}, now());
    }
  }
}

void UserOutput::flush_in_crash(LogFormat format, std::string_view component) {
  UserOutput* const self = the_one.exchange(nullptr);
  if (self == nullptr) return;
  self->is_crashing_ = true;
  for (int i = 0; i < kReaderMs && self->is_reading_.test_and_set(); ++i) ::poll(nullptr, 0, 1);
  for (Stream& stream : self->streams_) self->flush_stream(stream, format, component);
}

// The reading thread may be the one that crashed, within a line: then the line's start is lost.
void UserOutput::flush_stream(Stream& stream, LogFormat format, std::string_view component) {
  static std::array<char, LineRelay::kLongestLine> line;
  static std::array<char, kAtOnce> buffer;
  const std::string_view begun = stream.relay.partial();
  std::size_t length = begun.copy(line.data(), line.size());
  const auto write_line = [&] {
    std::string_view text(line.data(), length);
    const LogLevel level = take_level(text);
    if (length != 0 && log_enabled(level)) {
      SignalSafeLine(format, component, level)
          .text(text)
          .field("stream", stream.name)
          .write_to(log_fd());
    }
    length = 0;
  };
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t n = ::read(stream.from.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(n))) {
      if (c == '\n') {
        write_line();
      } else if (length < line.size()) {
        line[length++] = c;
      }
    }
  }
  write_line();
}

}  // namespace bentohost
