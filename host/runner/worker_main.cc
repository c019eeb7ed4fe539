#include "runner/worker_main.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/process/child_stdio.h"
#include "base/process/crash_report.h"
#include "base/process/plugin_call_note.h"
#include "base/process/signal_handlers.h"
#include "base/process/signal_stack.h"
#include "json/json.h"
#include "plugin/configure.h"
#include "plugin/description.h"
#include "plugin/host_table.h"
#include "plugin/library.h"
#include "runner/hello.h"
#include "runner/method_run.h"
#include "runner/metrics_report.h"
#include "runner/worker_arenas.h"
#include "wire/frame.h"

namespace bentohost::runner {
namespace {

constexpr int kExitRetry = 1, kExitConfig = 78;
// The buffer of a frame that is larger than this is freed once the frame is sent.
constexpr std::size_t kKeptFrameBytes = 1u << 20;
constexpr std::chrono::seconds kReportInterval{1};

// Never destroyed: a thread that the plugin has left behind may count until the process ends.
observe::CustomMetrics& metrics_of_this_process() {
  static observe::CustomMetrics& metrics = *new observe::CustomMetrics;
  return metrics;
}

// Writes a line to stderr, where the host reads it, with the level in front as in sd-daemon(3).
void log_to_host(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  std::string line(syslog_prefix(level));
  append_printable(line, message);
  for (const LogField& field : fields) {
    line += ' ';
    append_printable(line, field.name);
    line += '=';
    append_value(line, field.value.text());
  }
  line += '\n';
  [[maybe_unused]] const ssize_t n = ::write(2, line.data(), line.size());
}

// Reads and writes frames on the worker's ends of the pipes, which are blocking.
class FramePipe {
 public:
  FramePipe(UniqueFd in, UniqueFd out) : in_(std::move(in)), out_(std::move(out)) {}

  // The next frame, or nothing at the end of stdin. The frame is valid until the next call.
  // `before_read` is called whenever bytes are needed that may not be there yet.
  template <typename BeforeRead>
  Result<std::optional<wire::FrameReader::Frame>> read(BeforeRead&& before_read) {
    for (;;) {
      auto frame = reader_.next();
      if (!frame.ok() || (*frame).has_value()) return frame;
      before_read(in_.get());
      const std::span<char> room = reader_.writable();
      const ssize_t n = ::read(in_.get(), room.data(), room.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return std::optional<wire::FrameReader::Frame>();
      reader_.commit(static_cast<std::size_t>(n));
    }
  }

  // Returns false when the host is gone.
  bool write(AlignedBuffer& frame) {
    for (std::size_t sent = 0; sent < frame.size();) {
      const ssize_t n = ::write(out_.get(), frame.data() + sent, frame.size() - sent);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    frame.clear();
    return true;
  }

 private:
  UniqueFd in_, out_;
  wire::FrameReader reader_;
};

class WorkerProcess {
 public:
  WorkerProcess(const WorkerConfig& config, ChildPipes pipes)
      : config_(config),
        pipe_(std::move(pipes.in), std::move(pipes.out)),
        arenas_(std::move(pipes.socket)) {}

  int run() {
    if (Status status = load(); !status.ok()) {
      send_error(0, status);
      return kExitRetry;  // whatever the error: the file may be about to be replaced
    }
    if (Status status = create(); !status.ok()) {
      send_error(0, status);
      return status.code() == BENTO_INVALID_ARGUMENT ? kExitConfig : kExitRetry;
    }
    run_.emplace(*runner_, self_, note_of({}), arenas_);
    (void)wire::FrameWriter(out_, wire::FrameType::kReady, 0, 0).finish();
    bool more = pipe_.write(out_);
    while (more) {
      auto frame = pipe_.read([this](int in) { report_until_readable(in); });
      if (!frame.ok()) {
        log_to_host(LogLevel::kError, "the host broke the protocol: " + frame.status().message(),
                    {});
        return kExitRetry;
      }
      if (!(*frame).has_value()) break;
      more = answer(**frame);
    }
    if (metrics_.has_changes()) send_report();
    runner_->abi->destroy(self_);
    return 0;
  }

 private:
  Status load() {
    auto hello = pipe_.read([](int) {});
    if (!hello.ok()) return hello.status();
    if (!(*hello).has_value() || (**hello).header.type != wire::FrameType::kHello) {
      return Status(BENTO_UNAVAILABLE, "the host went away");
    }
    auto told = decode_hello({(**hello).body.data(), (**hello).body.size()});
    if (!told.ok()) return std::move(told).take_status();
    auto library = plugin::Library::open(config_.file);
    if (!library.ok()) return library.status();
    table_ = std::make_unique<plugin::HostTable>(config_.host_version, told->options,
                                                 config_.file.dir(), &log_to_host);
    table_->set_instance(told->instance);

    const bento_plugin_entry& entry = (*library).entry();
    auto service = plugin::open_service(entry, table_->get());
    if (!service.ok()) return service.status();
    auto spec = plugin::describe(*service);
    if (spec.ok()) {
      spec = plugin::configure(entry, table_->get(), *std::move(spec), config_.file.path);
    }
    if (!spec.ok()) return spec.status();
    spec_ = *std::move(spec);
    spec_.name = told->instance;
    if (Status status = plugin::check_description(spec_, told->description); !status.ok()) {
      return status;
    }
    runner_ = spec_.find_runner(config_.runner);
    if (runner_ == nullptr) {
      return Status(BENTO_INVALID_ARGUMENT,
                    "the plugin has no runner " + config_.runner + " any more");
    }
    table_->offer_metrics((*library).entry(), {&metrics_, {spec_.name, config_.runner, {}}});
    return {};
  }

  Status create() {
    const std::string what = "runner " + config_.runner + ".create";
    return call_plugin(note_of(what), [&](bento_error* error) {
      return runner_->abi->create(table_->get(), config_.worker, &self_, error);
    });
  }

  PluginCallNote note_of(std::string_view what) const {
    return {spec_.name, config_.file.path, what, {}, {}, {}};
  }

  // Returns false when the host is gone.
  bool answer(const wire::FrameReader::Frame& frame) {
    run_->answer(frame, out_);
    const bool more = pipe_.write(out_);
    run_->end();
    if (out_.capacity() > kKeptFrameBytes) AlignedBuffer().swap(out_);
    return more;
  }

  bool send_error(std::uint64_t id, const Status& status) {
    wire::FrameWriter frame(out_, wire::FrameType::kError, id, 0);
    frame.error(status);
    (void)frame.finish();  // it fits: the message was truncated
    return pipe_.write(out_);
  }

  // Tells the host of new counts, once a second at most, while it has no work for us. A thread of
  // the plugin may count at any time, so a wait is bounded.
  void report_until_readable(int in) {
    pollfd readable{in, POLLIN, 0};
    while (metrics_.is_used()) {
      const auto now = std::chrono::steady_clock::now();
      if (metrics_.has_changes() && now >= next_report_) {
        if (!send_report()) return;
        next_report_ = now + kReportInterval;
      }
      const auto wait = std::max(next_report_, now) - now + std::chrono::milliseconds(1);
      const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(
          metrics_.has_changes() ? wait : std::max<decltype(wait)>(wait, kReportInterval));
      if (::poll(&readable, 1, static_cast<int>(milliseconds.count())) != 0) return;
    }
  }

  bool send_report() {
    wire::FrameWriter frame(out_, wire::FrameType::kReport, 0, 0);
    frame.text(take_report(metrics_));
    (void)frame.finish();
    return pipe_.write(out_);
  }

  const WorkerConfig& config_;
  FramePipe pipe_;
  observe::CustomMetrics& metrics_ = metrics_of_this_process();
  std::chrono::steady_clock::time_point next_report_{};
  std::unique_ptr<plugin::HostTable> table_;
  plugin::ServiceSpec spec_;
  const plugin::RunnerSpec* runner_ = nullptr;
  void* self_ = nullptr;

  WorkerArenas arenas_;
  std::optional<MethodRun> run_;  // once create() is done
  AlignedBuffer out_;
};

}  // namespace

int run_worker(const WorkerConfig& config) {
  // Ctrl-C reaches the whole process group, and systemd's signals the whole service; the host
  // decides when its workers end.
  make_harmless({SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE});
  become_child(config.parent_pid);
  install_crash_report(LogFormat::kRelayed, "runner", {});
  const SignalStack for_crashes;
  auto pipes = take_stdio();
  if (!pipes.ok()) return kExitRetry;
  return WorkerProcess(config, *std::move(pipes)).run();
}

}  // namespace bentohost::runner
