#include "observe/access_log.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/output_fd.h"
#include "base/process/host_thread.h"

namespace bentohost::observe {
namespace {

using namespace std::chrono_literals;

constexpr auto kGatherTime = 20ms;  // from the first line of a batch to its write
constexpr auto kPatience = 1s;      // how long to wait for a reader; then lines are lost
constexpr auto kWarnEvery = 1min;
constexpr std::size_t kKeptCapacity = 256u << 10;  // what a buffer keeps after a burst

template <typename Integer>
void append_number(std::string& out, Integer value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

// 0.180: milliseconds with three digits.
void append_milliseconds(std::string& out, Duration took) {
  const auto us =
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::microseconds>(took).count());
  append_number(out, us / 1000);
  out += '.';
  out += static_cast<char>('0' + us / 100 % 10);
  out += static_cast<char>('0' + us / 10 % 10);
  out += static_cast<char>('0' + us % 10);
}

void append_text_line(std::string& out, const AccessRecord& record) {
  append_timestamp(out);
  out += ' ';
  append_value(out, record.client.empty() ? "-" : record.client);
  out += " \"";
  append_json_escaped(out, record.method);
  out += ' ';
  append_json_escaped(out, record.path);
  out += "\" ";
  append_number(out, record.status);
  out += ' ';
  append_number(out, record.request_bytes);
  out += ' ';
  append_number(out, record.response_bytes);
  out += ' ';
  append_milliseconds(out, record.took);
  out += "ms request_id=";
  append_value(out, record.request_id);
  out += '\n';
}

void append_string_member(std::string& out, std::string_view start, std::string_view value) {
  out += start;
  append_json_escaped(out, value);
  out += '"';
}

void append_json_line(std::string& out, const AccessRecord& record) {
  out += "{\"time\":\"";
  append_timestamp(out);
  append_string_member(out, "\",\"client\":\"", record.client);
  append_string_member(out, ",\"method\":\"", record.method);
  append_string_member(out, ",\"path\":\"", record.path);
  append_string_member(out, ",\"route\":\"", record.route);
  out += ",\"status\":";
  append_number(out, record.status);
  out += ",\"request_bytes\":";
  append_number(out, record.request_bytes);
  out += ",\"response_bytes\":";
  append_number(out, record.response_bytes);
  out += ",\"duration_ms\":";
  append_milliseconds(out, record.took);
  append_string_member(out, ",\"request_id\":\"", record.request_id);
  out += "}\n";
}

void clear(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptCapacity) buffer.shrink_to_fit();
}

// Blocks signals, which other threads handle. A reader that has gone is then EPIPE, not SIGPIPE.
template <typename Body>
std::thread start_without_signals(Body body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread = start_host_thread("access-log", std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

struct AccessLog::Impl {
  Impl(int output, LogFormat line_format, std::function<void(std::size_t)> on_dropped)
      : format(line_format), dropped(std::move(on_dropped)), out(output) {
    thread = start_without_signals([this] { run(); });
  }
  ~Impl() {
    {
      const MutexLock lock(mutex);
      stop = true;
    }
    changed.notify_one();
    thread.join();
  }

  void enqueue(const std::string& line);
  void run();
  void write_batch(std::string_view batch);
  std::string_view write_all(std::string_view text);
  void warn(int error);

  const LogFormat format;
  const std::function<void(std::size_t)> dropped;

  Mutex mutex;
  CondVar changed;
  std::string queue BENTO_GUARDED_BY(mutex);
  bool stop BENTO_GUARDED_BY(mutex) = false;

  // Used by the writing thread alone.
  OutputFd out;
  bool inside_a_line = false;
  bool stuck = false;  // the reader did not read within kPatience
  std::optional<std::chrono::steady_clock::time_point> warned;
  std::thread thread;
};

void AccessLog::Impl::enqueue(const std::string& line) {
  constexpr std::size_t kHalf = kMaxQueuedBytes / 2;
  bool fits = false, wake = false;
  {
    const MutexLock lock(mutex);
    const std::size_t before = queue.size(), after = before + line.size();
    fits = after <= kMaxQueuedBytes;
    // The thread sleeps until a line comes, then gathers lines until the queue is half full.
    wake = fits && (before == 0 || (before < kHalf && after >= kHalf));
    if (fits) queue += line;
  }
  if (wake) changed.notify_one();
  if (!fits) dropped(1);
}

void AccessLog::Impl::run() {
  std::string batch;
  MutexLock lock(mutex);
  for (;;) {
    while (!stop && queue.empty()) changed.wait(mutex);
    const auto gathered_at = std::chrono::steady_clock::now() + kGatherTime;
    while (!stop && queue.size() < kMaxQueuedBytes / 2 &&
           changed.wait_until(mutex, gathered_at) == std::cv_status::no_timeout) {
    }
    if (queue.empty()) return;  // stop is set
    batch.swap(queue);
    lock.unlock();
    write_batch(batch);
    clear(batch);
    lock.lock();
  }
}

void AccessLog::Impl::write_batch(std::string_view batch) {
  // After a batch that was cut within a line, start a new line.
  if (inside_a_line) inside_a_line = !write_all("\n").empty();
  const std::string_view lost = inside_a_line ? batch : write_all(batch);
  if (lost.empty()) return;
  const int error = errno;
  if (lost.size() < batch.size()) inside_a_line = lost.data()[-1] != '\n';
  dropped(static_cast<std::size_t>(std::count(lost.begin(), lost.end(), '\n')));
  warn(error);
}

// Returns the text that could not be written, with errno set; empty: success.
std::string_view AccessLog::Impl::write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = out.write(text);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      stuck = false;
    } else if (errno == EAGAIN) {
      if (!stuck && out.wait_writable(kPatience)) continue;
      stuck = true;
      errno = EAGAIN;
      return text;
    } else if (errno != EINTR) {
      return text;
    }
  }
  return {};
}

void AccessLog::Impl::warn(int error) {
  const auto now = std::chrono::steady_clock::now();
  if (warned && now - *warned < kWarnEvery) return;
  warned = now;
  log_warning(
      "the access log cannot be written; lines are lost",
      {{"error", error == EAGAIN ? "nobody reads it" : std::system_category().message(error)}});
}

AccessLog::AccessLog(int fd, LogFormat format, std::function<void(std::size_t)> dropped)
    : impl_(std::make_unique<Impl>(fd, format, std::move(dropped))) {}

AccessLog::~AccessLog() = default;

void AccessLog::write(const AccessRecord& record) {
  thread_local std::string line;
  if (impl_->format == LogFormat::kJson) {
    append_json_line(line, record);
  } else {
    append_text_line(line, record);
  }
  impl_->enqueue(line);
  clear(line);
}

}  // namespace bentohost::observe
