#include "upstream/process/guarded_process.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/process/launch.h"
#include "base/process/process_exit.h"
#include "upstream/process/guardian.h"
#include "upstream/process/process_tree.h"

namespace bentohost::upstream {
namespace {

// A traceback of an app has some sixty lines, and its last one is the one that matters.
constexpr std::size_t kLinesPerSecond = 1000;

constexpr std::size_t kReadAtOnce = 64u << 10;
// After the guardian was killed, processes that it has left behind are searched for at this
// interval, until none is found.
constexpr Duration kSweepInterval = std::chrono::milliseconds(20);
constexpr Duration kLongestSweep = std::chrono::seconds(5);

// Poco's pipes close their descriptors when their last copy is destroyed, so we keep a duplicate.
UniqueFd keep(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (copy) ::fcntl(copy.get(), F_SETFL, ::fcntl(copy.get(), F_GETFL) | O_NONBLOCK);
  return copy;
}

std::string random_mark() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) {
    static std::uint64_t last = 0;
    number = (static_cast<std::uint64_t>(::getpid()) << 32) + ++last;
  }
  char text[40];
  std::snprintf(text, sizeof text, "BENTO_APP_MARK=%016llx",
                static_cast<unsigned long long>(number));
  return text;
}

int number_after(std::string_view line, std::string_view prefix) {
  int number = 0;
  std::from_chars(line.data() + prefix.size(), line.data() + line.size(), number);
  return number;
}

}  // namespace

GuardedProcess::GuardedProcess(EventLoop& loop, StartMessage message, std::string name,
                               Owner& owner)
    : loop_(loop),
      message_(std::move(message)),
      owner_(owner),
      mark_(random_mark()),
      output_(std::move(name), kLinesPerSecond),
      sweep_timer_(loop.timers(), *this) {
  message_.environment.push_back(mark_);
}

GuardedProcess::~GuardedProcess() {
  if (reports_) loop_.unwatch(reports_.get());
  if (err_) loop_.unwatch(err_.get());
  to_.reset();
  if (guardian_ > 0 && !is_gone_) reap_later(loop_, guardian_, open_pidfd(guardian_));
}

Status GuardedProcess::start(const std::string& exe) {
  try {
    Poco::Pipe in, out, err;
    guardian_ = launch(exe, {"guardian", std::to_string(::getpid())}, in, out, err);
    to_ = keep(in.writeHandle());
    reports_ = keep(out.readHandle());
    err_ = keep(err.readHandle());
  } catch (const Poco::Exception& e) {
    return {BENTO_INTERNAL, "cannot start its guardian process: " + e.displayText()};
  }
  Status status = to_ && reports_ && err_
                      ? send_start_message()
                      : Status(BENTO_RESOURCE_EXHAUSTED, "no descriptors left for its pipes");
  if (status.ok()) {
    status = loop_.watch(reports_.get(), EPOLLIN, [this](std::uint32_t) { read_reports(); });
  }
  if (status.ok()) {
    status = loop_.watch(err_.get(), EPOLLIN, [this](std::uint32_t) { read_output(); });
    if (!status.ok()) loop_.unwatch(reports_.get());
  }
  if (!status.ok()) {  // with its stdin closed the guardian ends by itself
    to_.reset();
    reports_.reset();
    err_.reset();
  }
  return status;
}

Status GuardedProcess::send_start_message() {
  auto bytes = encode(message_);
  if (!bytes.ok()) return std::move(bytes).take_status();
  // It fits, so that writing does not wait for a guardian that is slow to start.
  const auto size = static_cast<int>(bytes->size());
  const int capacity = ::fcntl(to_.get(), F_GETPIPE_SZ);
  if (capacity < size && ::fcntl(to_.get(), F_SETPIPE_SZ, size) < size) {
    return {BENTO_INVALID_ARGUMENT, "its arguments and environment variables take " +
                                        std::to_string(size) + " bytes, which is too much"};
  }
  const ssize_t sent = ::write(to_.get(), bytes->data(), bytes->size());
  if (sent == static_cast<ssize_t>(bytes->size())) return {};
  return {BENTO_INTERNAL, "its guardian process ended at once"};
}

void GuardedProcess::command(char what) {
  if (to_) [[maybe_unused]]
    const ssize_t sent = ::write(to_.get(), &what, 1);
}

void GuardedProcess::stop() { command(kStopCommand); }

void GuardedProcess::kill() { command(kKillCommand); }

std::string GuardedProcess::last_lines() {
  if (err_) read_output();
  std::string lines = output_.last_lines();
  if (const std::string_view partial = output_.partial(); !partial.empty()) {
    lines.append(lines.empty() ? "" : " | ").append(partial);
  }
  return lines;
}

void GuardedProcess::read_reports() {
  std::array<char, 1024> chunk;
  while (true) {
    const ssize_t size = ::read(reports_.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return on_end_of_reports();
    partial_report_.append(chunk.data(), static_cast<std::size_t>(size));
    std::size_t end = 0;
    while ((end = partial_report_.find('\n')) != std::string::npos) {
      const std::string line = partial_report_.substr(0, end);
      partial_report_.erase(0, end + 1);
      on_report(line);
    }
  }
}

void GuardedProcess::on_report(std::string_view line) {
  if (line.starts_with(kStartedLine)) {
    app_ = number_after(line, kStartedLine);
  } else if (line.starts_with(kFailedLine)) {
    end({"could not be started: " + std::string(line.substr(kFailedLine.size())), "no_start",
         std::nullopt});
  } else if (line.starts_with(kEndedLine)) {
    const int status = number_after(line, kEndedLine);
    end({exit_text(status), exit_label(status), status});
  } else if (line == kGoneLine) {
    has_said_gone_ = true;
  }
}

void GuardedProcess::end(ProgramEnd end) {
  if (std::exchange(has_ended_, true)) return;
  read_output();
  owner_.on_ended(end);
}

void GuardedProcess::on_end_of_reports() {
  loop_.unwatch(reports_.get());
  reports_.reset();
  reap_later(loop_, guardian_, open_pidfd(guardian_));
  if (has_said_gone_) return be_gone();
  log_warning("the guardian process of an app ended too early; what is left of the app is killed",
              {{"stream", message_.socket}, {"pid", guardian_}});
  sweep_until_ = loop_.clock().now() + kLongestSweep;
  sweep();
}

// The group is gone from on_ended() on, if the guardian got that far; its number may be another's
// then. The mark in the environment is what finds processes that have left the group.
void GuardedProcess::sweep() {
  if (!has_ended_ && app_ > 0) ::kill(-app_, SIGKILL);
  const std::vector<pid_t> left = processes_with(mark_);
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  end({"lost its guardian process, which was killed", "no_guardian", std::nullopt});
  if (left.empty() || loop_.clock().now() >= sweep_until_) {
    if (!left.empty()) log_error("processes of an app do not die", {{"pid", left.front()}});
    if (!message_.socket.empty()) ::unlink(message_.socket.c_str());
    return be_gone();
  }
  sweep_timer_.set(loop_.clock().now() + kSweepInterval);
}

void GuardedProcess::read_output() {
  std::array<char, 16u << 10> chunk;
  for (std::size_t total = 0; err_ && total < kReadAtOnce;) {
    const ssize_t size = ::read(err_.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      loop_.unwatch(err_.get());
      err_.reset();
      return;
    }
    total += static_cast<std::size_t>(size);
    output_.feed({chunk.data(), static_cast<std::size_t>(size)}, loop_.clock().now());
  }
}

void GuardedProcess::be_gone() {
  end({"ended", "no_guardian", std::nullopt});
  is_gone_ = true;
  read_output();
  output_.finish(loop_.clock().now());
  owner_.on_gone();
}

}  // namespace bentohost::upstream
