#include "plugin/probe.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/process/child_stdio.h"
#include "base/process/launch.h"
#include "base/process/low_priority.h"
#include "base/process/process_exit.h"
#include "base/process/signal_handlers.h"
#include "json/json.h"
#include "plugin/configure.h"
#include "plugin/description.h"
#include "plugin/host_table.h"
#include "plugin/library.h"

namespace bentohost::plugin {
namespace {

constexpr std::size_t kMaxReport = 16u << 20;
constexpr std::size_t kMaxStderr = 4096;  // its end is shown
constexpr std::string_view kAsks = "{\"opened\":";

// ---- the child -------------------------------------------------------------------------------

class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  void step(std::string_view name) { line("step", name); }
  int failed(const Status& status) {
    line("error", status.message());
    return 1;
  }
  // Asks the host for the options.
  void opened(const ServiceSpec& spec) {
    rapidjson::Document doc(rapidjson::kObjectType);
    auto& memory = doc.GetAllocator();
    doc.AddMember("opened", rapidjson::Value(spec.name, memory), memory);
    doc.AddMember("options_schema", rapidjson::Value(spec.options_schema, memory), memory);
    write(write_json(doc) + "\n");
  }
  void report(const ServiceSpec& spec) {
    rapidjson::Document doc(rapidjson::kObjectType);
    auto& memory = doc.GetAllocator();
    const auto put = [&](const char* name, const std::string& value) {
      doc.AddMember(rapidjson::StringRef(name), rapidjson::Value(value, memory), memory);
    };
    put("service", spec.name);
    put("version", spec.version);
    put("description", spec.hash);
    rapidjson::Value routes(rapidjson::kArrayType), runners(rapidjson::kArrayType),
        files(rapidjson::kArrayType);
    for (const ApiSpec& api : spec.apis)
      routes.PushBack(rapidjson::Value(api.route, memory), memory);
    for (const RunnerSpec& r : spec.runners)
      runners.PushBack(rapidjson::Value(r.name, memory), memory);
    for (const std::string& file : spec.files)
      files.PushBack(rapidjson::Value(file, memory), memory);
    doc.AddMember("routes", routes, memory).AddMember("runners", runners, memory);
    doc.AddMember("files", files, memory);
    write(write_json(doc) + "\n");
  }

 private:
  void line(std::string_view key, std::string_view value) {
    std::string json = "{\"" + std::string(key) + "\":\"";
    append_json_escaped(json, value);
    write(json + "\"}\n");
  }
  void write(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
      if (n <= 0) return;  // the host is gone, and so are we soon
      done += static_cast<std::size_t>(n);
    }
  }
  int fd_;
};

// The next line from the host; nothing when it is gone.
std::optional<std::string> read_line(int fd) {
  std::string line;
  char buffer[4096];
  while (!line.ends_with('\n')) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    line.append(buffer, static_cast<std::size_t>(n));
  }
  line.pop_back();
  return line;
}

// ---- the host --------------------------------------------------------------------------------

// How often to poll whether the probe is cancelled and, without a pidfd, whether the child has
// ended.
constexpr Duration kLook = std::chrono::milliseconds(20);
// How long a child has to die of SIGKILL. After that it hangs in the kernel and is left behind.
constexpr Duration kKillGrace = std::chrono::seconds(2);

// A child and its output. Waits for the child's end, not for the pipes': the child may close them
// long before, and processes that it started may keep them open long after.
class Watched {
 public:
  enum class End { kEnded, kLate, kCancelled, kBabbling, kRefused };

  Watched(pid_t pid, int in, int out, int err)
      : pid_(pid), pidfd_(open_pidfd(pid)), in_(in), fds_{out, err} {
    for (const int fd : {in, out, err}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }

  // When it returns, nothing remains to be done about the child.
  End run(const ProbeOptions& options) {
    const End end = watch(options);
    if (end == End::kEnded) return end;
    ::kill(pid_, SIGKILL);
    if (options.is_low_priority) restore_priority(pid_);  // we wait for its end
    status_ = reap_by(pid_, pidfd_, std::chrono::steady_clock::now() + kKillGrace);
    if (!status_) {
      log_error("the process that tries out a plugin survives SIGKILL and is left behind",
                {{"pid", pid_}});
    }
    read();
    return end;
  }

  int status() const { return status_.value_or(kNoStatus); }
  std::string output, errors;
  Status refusal;  // with kRefused: what the options' check has said

 private:
  End watch(const ProbeOptions& options) {
    const TimePoint began = std::chrono::steady_clock::now(), deadline = began + options.time_limit;
    TimePoint relax_priority_at = options.is_low_priority ? began + kLowPriorityTime : kNoDeadline;
    while (true) {
      status_ = reap(pid_);
      if (!read()) return End::kBabbling;
      if (status_) return End::kEnded;
      if (!answer(options)) return End::kRefused;
      const TimePoint now = std::chrono::steady_clock::now();
      if (options.cancelled != nullptr && *options.cancelled) return End::kCancelled;
      if (now >= deadline) return End::kLate;
      if (now >= relax_priority_at) {
        relax_priority(pid_);
        relax_priority_at = kNoDeadline;
      }
      wait(std::min({deadline, relax_priority_at, now + kLook}) - now);
    }
  }

  // Sends the options once the child has asked for them; false if they are refused.
  bool answer(const ProbeOptions& options) {
    if (!has_answered_) {
      const std::size_t at = output.find(kAsks);
      const std::size_t end = at == std::string::npos ? at : output.find('\n', at);
      if (end == std::string::npos) return true;
      has_answered_ = true;
      const auto line = parse_json(std::string_view(output).substr(at, end - at));
      if (!line.ok()) return true;
      auto given = options.options == nullptr
                       ? Result<std::string>(std::string("{}"))
                       : options.options((*line)["opened"].GetString(),
                                         (*line)["options_schema"].GetString());
      if (!given.ok()) {
        refusal = std::move(given).take_status();
        return false;
      }
      unsent_ = *given + "\n";
    }
    while (!unsent_.empty()) {
      const ssize_t n = ::write(in_, unsent_.data(), unsent_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) unsent_.clear();  // the child's end will say why
      if (n <= 0) break;
      unsent_.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }

  void wait(Duration longest) {
    pollfd fds[4] = {{pidfd_.get(), POLLIN, 0},
                     {fds_[0], POLLIN, 0},
                     {fds_[1], POLLIN, 0},
                     {unsent_.empty() ? -1 : in_, POLLOUT, 0}};
    ::poll(fds, 4, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(longest).count()));
  }

  // Reads the output that is there now; false if it is too much.
  bool read() {
    for (int i = 0; i < 2; ++i) {
      std::string& text = i == 0 ? output : errors;
      char buffer[4096];
      while (fds_[i] >= 0) {
        const ssize_t n = ::read(fds_[i], buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) {
          fds_[i] = -1;
          break;
        }
        text.append(buffer, static_cast<std::size_t>(n));
        if (errors.size() > 2 * kMaxStderr) errors.erase(0, errors.size() - kMaxStderr);
        if (output.size() > kMaxReport) return false;
      }
    }
    return true;
  }

  const pid_t pid_;
  const UniqueFd pidfd_;
  const int in_;
  int fds_[2];
  bool has_answered_ = false;
  std::string unsent_;
  std::optional<int> status_;
};

struct ProbeOutput {
  std::string last_step = "its start", error;
  bool has_report = false;
  ProbeReport report;
};

ProbeOutput parse_output(std::string_view output) {
  ProbeOutput outcome;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    auto line = parse_json(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
    if (!line.ok() || !line->IsObject()) continue;
    const auto& object = *line;
    const auto text = [&](const char* name) { return std::string(object[name].GetString()); };
    if (object.HasMember("step")) outcome.last_step = text("step");
    if (object.HasMember("error")) outcome.error = text("error");
    if (!object.HasMember("service")) continue;
    outcome.has_report = true;
    outcome.report = {text("service"), text("version"), {}, {}, {}, text("description")};
    for (const auto& route : object["routes"].GetArray())
      outcome.report.routes.push_back(route.GetString());
    for (const auto& name : object["runners"].GetArray())
      outcome.report.runners.push_back(name.GetString());
    for (const auto& file : object["files"].GetArray())
      outcome.report.files.push_back(file.GetString());
  }
  return outcome;
}

std::string with_last_output(std::string message, std::string errors) {
  while (!errors.empty() && errors.back() == '\n') errors.pop_back();
  if (errors.empty()) return message;
  message += "; its last output: ";
  append_printable(message, errors.substr(errors.size() > 500 ? errors.size() - 500 : 0));
  return message;
}

}  // namespace

int run_probe(const PluginFile& file, int parent_pid, const std::string& host_version,
              const std::string& instance) {
  make_harmless({SIGPIPE});  // as in serving processes
  become_child(parent_pid);
  auto pipes = take_stdio();
  if (!pipes.ok()) return 1;
  Reporter reporter((*pipes).out.get());

  reporter.step("dlopen");
  auto library = Library::map(file);
  if (!library.ok()) return reporter.failed(library.status());
  const std::string context = file.path + ": ";

  reporter.step(kProbeAbi);
  if (Status status = check_entry((*library).entry()); !status.ok()) {
    return reporter.failed(std::move(status).prefixed(context));
  }

  reporter.step("bento_entry.open");
  HostTable table(host_version, "{}", file.dir(),
                  [](LogLevel, std::string_view, std::span<const LogField>) {});
  table.set_instance(instance);
  auto service = open_service((*library).entry(), table.get());
  if (!service.ok()) return reporter.failed(std::move(service).take_status().prefixed(context));

  reporter.step("its description");
  auto spec = describe(*service);
  if (!spec.ok()) return reporter.failed(std::move(spec).take_status().prefixed(context));

  reporter.step("its options");
  if (instance.empty()) table.set_instance(spec->name);
  reporter.opened(*spec);
  auto options = read_line((*pipes).in.get());
  if (!options) return 1;  // the host is gone, or will not have the plugin
  table.set_options(*std::move(options));
  if (has_configure((*library).entry())) {
    reporter.step(kProbeConfigure);
    spec = configure((*library).entry(), table.get(), *std::move(spec), file.path);
    if (!spec.ok()) return reporter.failed(std::move(spec).take_status().prefixed(context));
  }
  reporter.report(*spec);

  reporter.step("bento_entry.close");
  (*library).entry().close();
  return 0;
}

Result<ProbeReport> probe(const PluginFile& file, const ProbeOptions& options,
                          std::string* last_step) {
  const std::string& path = file.path;
  Poco::Pipe in, out, err;
  pid_t pid = 0;
  try {
    pid = launch(options.exe,
                 {"probe", path, file.mapped(), std::to_string(::getpid()), options.instance}, in,
                 out, err);
    if (options.is_low_priority) lower_priority(pid, /*for_good=*/true);
  } catch (const Poco::Exception& e) {
    return Status(BENTO_INTERNAL, "cannot start the probe of " + path + ": " + e.displayText());
  }
  Watched child(pid, in.writeHandle(), out.readHandle(), err.readHandle());
  const Watched::End end = child.run(options);
  std::string& errors = child.errors;
  const int status = child.status();

  ProbeOutput outcome = parse_output(child.output);
  if (last_step != nullptr) *last_step = outcome.last_step;
  if (end == Watched::End::kCancelled) {
    return Status(BENTO_UNAVAILABLE, path + ": the server is shutting down");
  }
  if (end == Watched::End::kRefused) return std::move(child.refusal);
  if (end == Watched::End::kLate) {
    return Status(BENTO_FAILED_PRECONDITION,
                  with_last_output(path + ": did not come back from " + outcome.last_step +
                                       " within " + seconds_text(options.time_limit),
                                   std::move(errors)));
  }
  if (end == Watched::End::kBabbling) {
    return Status(BENTO_FAILED_PRECONDITION, path + ": its description is larger than " +
                                                 std::to_string(kMaxReport >> 20) +
                                                 " MiB: its options' schemas, names and "
                                                 "routes must be shorter");
  }
  if (!outcome.error.empty()) return Status(BENTO_FAILED_PRECONDITION, std::move(outcome.error));
  const bool has_failed = status != 0 && status != kNoStatus;  // other code may have reaped it
  if (has_failed || !outcome.has_report) {
    const std::string how = status == kNoStatus ? "is gone" : exit_text(status);
    return Status(BENTO_FAILED_PRECONDITION,
                  with_last_output(
                      path + ": the process that tried it out " + how + " in " + outcome.last_step,
                      std::move(errors)));
  }
  return std::move(outcome.report);
}

}  // namespace bentohost::plugin
