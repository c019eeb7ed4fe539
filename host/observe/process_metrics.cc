#include "observe/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

namespace bentohost::observe {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// Fields 22 to 24 of /proc/[pid]/stat, see proc(5).
struct Stat {
  double start_ticks = 0;  // since boot
  double virtual_bytes = 0;
  double resident_pages = 0;
};

bool read_stat(Stat& out) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  // The name in field 2 may hold blanks and parentheses; it ends at the last ')'.
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return false;
  std::istringstream fields(line.substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  return static_cast<bool>(fields >> out.start_ticks >> out.virtual_bytes >> out.resident_pages);
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string name; file >> name; file.ignore(std::numeric_limits<int>::max(), '\n')) {
    double seconds = 0;
    if (name == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<double> open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(fds), end(fds)) -
                             1);  // without the iterator's own
}

double max_fds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_cur);
}

MetricFamily single(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return {name, help, type, {metric}};
}

}  // namespace

ProcessMetrics::ProcessMetrics() : start_time_(0) {
  Stat stat;
  const double booted = boot_time();
  if (booted > 0 && read_stat(stat)) {
    start_time_ = booted + stat.start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
}

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> out;
  out.push_back(single("process_cpu_seconds_total", "User and system CPU time, in seconds.",
                       MetricType::Counter, cpu_seconds()));
  if (const auto count = open_fds()) {
    out.push_back(single("process_open_fds", "Open file descriptors.", MetricType::Gauge, *count));
  }
  out.push_back(single("process_max_fds", "Maximum number of open file descriptors.",
                       MetricType::Gauge, max_fds()));
  if (Stat stat; read_stat(stat)) {
    out.push_back(single("process_virtual_memory_bytes", "Virtual memory size, in bytes.",
                         MetricType::Gauge, stat.virtual_bytes));
    out.push_back(single("process_resident_memory_bytes", "Resident memory size, in bytes.",
                         MetricType::Gauge,
                         stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE))));
  }
  if (start_time_ > 0) {
    out.push_back(single("process_start_time_seconds",
                         "Start of the process, in seconds since 1970.", MetricType::Gauge,
                         start_time_));
  }
  return out;
}

}  // namespace bentohost::observe
