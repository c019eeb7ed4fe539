#include "plugin/probe.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/child_stdio.h"
#include "base/gentle.h"
#include "base/json.h"
#include "base/launch.h"
#include "base/log.h"
#include "base/process_exit.h"
#include "plugin/description.h"
#include "plugin/host_table.h"
#include "plugin/library.h"

namespace bentohost::plugin {
namespace {

constexpr std::size_t kMaxReport = 16u << 20;
constexpr std::size_t kMaxStderr = 4096;  // the last of it is shown

// ---- the child -------------------------------------------------------------------------------

class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  void step(std::string_view name) { line("step", name); }
  int failed(const Status& status) {
    line("error", status.message());
    return 1;
  }
  void report(const ServiceSpec& spec) {
    rapidjson::Document doc(rapidjson::kObjectType);
    auto& memory = doc.GetAllocator();
    const auto put = [&](const char* name, const std::string& value) {
      doc.AddMember(rapidjson::StringRef(name), rapidjson::Value(value, memory), memory);
    };
    put("service", spec.name);
    put("version", spec.version);
    put("options_schema", spec.options_schema);
    rapidjson::Value routes(rapidjson::kArrayType), runners(rapidjson::kArrayType);
    for (const ApiSpec& api : spec.apis)
      routes.PushBack(rapidjson::Value(api.route, memory), memory);
    for (const RunnerSpec& r : spec.runners)
      runners.PushBack(rapidjson::Value(r.name, memory), memory);
    doc.AddMember("routes", routes, memory).AddMember("runners", runners, memory);
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
      if (n <= 0) return;  // the host is gone; so are we, soon
      done += static_cast<std::size_t>(n);
    }
  }
  int fd_;
};

// ---- the host --------------------------------------------------------------------------------

// Reads both pipes until they end or time is up; false when it was. `gentle_child`: 0 for none.
bool read_until_end(int out, int err, Duration time_limit, pid_t gentle_child, std::string& output,
                    std::string& errors) {
  const TimePoint began = std::chrono::steady_clock::now(), deadline = began + time_limit;
  TimePoint wake_at = gentle_child != 0 ? std::min(began + kGentleTime, deadline) : deadline;
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(wake_at - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      if (wake_at == deadline) return false;
      make_less_gentle(gentle_child);
      wake_at = deadline;
      continue;
    }
    if (::poll(fds, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) {
        fds[i].fd = -1;
        continue;
      }
      (i == 0 ? output : errors).append(buffer, static_cast<std::size_t>(n));
      if (errors.size() > 2 * kMaxStderr) errors.erase(0, errors.size() - kMaxStderr);
      if (output.size() > kMaxReport) return false;
    }
  }
  return true;
}

struct Outcome {
  std::string last_step, error;
  bool has_report = false;
  ProbeReport report;
};

Outcome parse_output(std::string_view output) {
  Outcome outcome;
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
    outcome.report = {text("service"), text("version"), text("options_schema"), {}, {}};
    for (const auto& route : object["routes"].GetArray())
      outcome.report.routes.push_back(route.GetString());
    for (const auto& name : object["runners"].GetArray())
      outcome.report.runners.push_back(name.GetString());
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

int run_probe(const PluginFile& file, int parent_pid, const std::string& host_version) {
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
  auto service = open_service((*library).entry(), table.get());
  if (!service.ok()) return reporter.failed(std::move(service).take_status().prefixed(context));

  reporter.step("its description");
  auto spec = describe(*service);
  if (!spec.ok()) return reporter.failed(std::move(spec).take_status().prefixed(context));
  reporter.report(*spec);

  reporter.step("bento_entry.close");
  (*library).entry().close();
  return 0;
}

Result<ProbeReport> probe(const std::string& exe, const PluginFile& file, Duration time_limit,
                          bool is_gentle, std::string* last_step) {
  const std::string& path = file.path;
  Poco::Pipe in, out, err;
  pid_t pid = 0;
  try {
    pid = launch(exe, {"probe", path, file.mapped(), std::to_string(::getpid())}, in, out, err);
    if (is_gentle) make_gentle(pid, /*for_good=*/true);
  } catch (const Poco::Exception& e) {
    return Status(BENTO_INTERNAL, "cannot start the probe of " + path + ": " + e.displayText());
  }
  std::string output, errors;
  const bool ended = read_until_end(out.readHandle(), err.readHandle(), time_limit,
                                    is_gentle ? pid : 0, output, errors);
  if (!ended) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }

  Outcome outcome = parse_output(output);
  if (last_step != nullptr) *last_step = outcome.last_step;
  if (!ended) {
    return Status(BENTO_FAILED_PRECONDITION,
                  with_last_output(path + ": did not come back from " + outcome.last_step +
                                       " within " + seconds_text(time_limit),
                                   std::move(errors)));
  }
  if (!outcome.error.empty()) return Status(BENTO_FAILED_PRECONDITION, std::move(outcome.error));
  if (status != 0 || !outcome.has_report) {
    return Status(BENTO_FAILED_PRECONDITION,
                  with_last_output(path + ": the process that tried it out " + exit_text(status) +
                                       " in " + outcome.last_step,
                                   std::move(errors)));
  }
  return std::move(outcome.report);
}

}  // namespace bentohost::plugin
