#include "runner/worker_main.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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
#include "runner/engines.h"
#include "runner/frame_pipe.h"
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

class WorkerProcess final : private FramePipe::News {
 public:
  WorkerProcess(const WorkerConfig& config, ChildPipes pipes)
      : config_(config),
        pipe_(std::move(pipes.in), std::move(pipes.out), *this),
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
    run_.emplace(*runner_, self_, note_of({}), arenas_, pipe_);
    (void)wire::FrameWriter(out_, wire::FrameType::kReady, 0, 0).finish();
    engines_.open(*runner_, self_, note_of({}), names_);
    bool more = pipe_.write(out_);
    while (more) {
      const auto next = read_next(!engines_.has_turn());
      if (!next.ok()) {
        log_to_host(LogLevel::kError, "the host broke the protocol: " + next.status().message(),
                    {});
        return kExitRetry;
      }
      if (next->what == FramePipe::Next::What::kEnd) break;
      if (next->what == FramePipe::Next::What::kFrame) {
        more = answer(next->frame);
        continue;
      }
      // All that was there has been read: works have joined, or left.
      engines_.turn();
      report_if_due();
    }
    engines_.end();
    if (metrics_.has_changes()) send_report();
    runner_->abi->destroy(self_);
    return 0;
  }

 private:
  Result<FramePipe::Next> read_next(bool waits) {
    return pipe_.read(waits, [this](int in) { report_until_readable(in); });
  }

  // FramePipe::News
  void on_cancel(std::uint64_t id) override {
    if (!engines_.on_cancel(id) && run_) run_->on_cancel(id);
  }
  void on_room(std::uint64_t id, const wire::Room& room) override { engines_.on_room(id, room); }

  Status load() {
    const auto hello = pipe_.read(true, [](int) {});
    if (!hello.ok()) return hello.status();
    if (hello->what != FramePipe::Next::What::kFrame ||
        hello->frame.header.type != wire::FrameType::kHello) {
      return Status(BENTO_UNAVAILABLE, "the host went away");
    }
    auto told = decode_hello({hello->frame.body.data(), hello->frame.body.size()});
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
    for (const plugin::MethodSpec& method : runner_->methods)
      names_.push_back("runner " + runner_->name + "." + method.name);
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
    if (frame.header.type == wire::FrameType::kCall &&
        frame.header.method < runner_->methods.size() &&
        runner_->methods[frame.header.method].engine != nullptr) {
      return engines_.begin(frame);
    }
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
      if (!report_if_due()) return;
      const auto wait = std::max(next_report_, now) - now + std::chrono::milliseconds(1);
      const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(
          metrics_.has_changes() ? wait : std::max<decltype(wait)>(wait, kReportInterval));
      if (::poll(&readable, 1, static_cast<int>(milliseconds.count())) != 0) return;
    }
  }

  // Returns false when the host is gone.
  bool report_if_due() {
    if (!metrics_.is_used() || !metrics_.has_changes()) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_report_) return true;
    next_report_ = now + kReportInterval;
    return send_report();
  }

  bool send_report() {
    AlignedBuffer report;  // and not out_: a batch may be computed
    wire::FrameWriter frame(report, wire::FrameType::kReport, 0, 0);
    frame.text(take_report(metrics_));
    (void)frame.finish();
    return pipe_.write(report);
  }

  const WorkerConfig& config_;
  FramePipe pipe_;
  Engines engines_{pipe_, [this] { (void)report_if_due(); }};
  observe::CustomMetrics& metrics_ = metrics_of_this_process();
  std::chrono::steady_clock::time_point next_report_{};
  std::unique_ptr<plugin::HostTable> table_;
  plugin::ServiceSpec spec_;
  const plugin::RunnerSpec* runner_ = nullptr;
  void* self_ = nullptr;

  std::vector<std::string> names_;  // of the methods, for engines and the crash report
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
