#include "upstream/process/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/unique_fd.h"

namespace bentohost::upstream {
namespace {

// "PID (name) STATE PPID ..." of proc(5). The name may hold blanks and brackets.
std::optional<ProcessInfo> read_stat(pid_t pid) {
  const UniqueFd fd(
      ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::array<char, 1024> text;
  const ssize_t size = ::read(fd.get(), text.data(), text.size() - 1);
  if (size <= 0) return std::nullopt;
  text[static_cast<std::size_t>(size)] = '\0';
  const char* const name_end = std::strrchr(text.data(), ')');
  ProcessInfo info{pid, 0, '?', 0};
  long pages = 0;
  if (name_end == nullptr ||
      std::sscanf(name_end + 1,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u "
                  "%*u %ld",
                  &info.state, &info.parent, &pages) != 3) {
    return std::nullopt;
  }
  info.resident = static_cast<std::uint64_t>(std::max(0L, pages)) *
                  static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return info;
}

std::vector<pid_t> all_pids() {
  struct Closer {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Closer> folder(::opendir("/proc"));
  std::vector<pid_t> pids;
  while (const dirent* const entry = folder == nullptr ? nullptr : ::readdir(folder.get())) {
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    pid_t pid = 0;
    const auto [parsed, error] = std::from_chars(entry->d_name, end, pid);
    if (error == std::errc() && parsed == end) pids.push_back(pid);
  }
  return pids;
}

std::string read_whole(const std::string& path) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> chunk;
  while (fd) {
    const ssize_t size = ::read(fd.get(), chunk.data(), chunk.size());
    if (size <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace

std::vector<ProcessInfo> descendants_of(pid_t root) {
  std::vector<ProcessInfo> others;
  for (const pid_t pid : all_pids()) {
    if (const auto info = read_stat(pid); info && pid != root) others.push_back(*info);
  }
  std::unordered_set<pid_t> family = {root};
  std::vector<ProcessInfo> found;
  for (bool is_growing = true; is_growing;) {
    is_growing = false;
    for (auto at = others.begin(); at != others.end();) {
      if (!family.contains(at->parent)) {
        ++at;
        continue;
      }
      family.insert(at->pid);
      found.push_back(*at);
      at = others.erase(at);
      is_growing = true;
    }
  }
  return found;
}

std::uint64_t memory_of_tree(pid_t root) {
  const auto info = read_stat(root);
  if (!info) return 0;
  std::uint64_t sum = info->resident;
  for (const ProcessInfo& process : descendants_of(root)) sum += process.resident;
  return sum;
}

std::vector<pid_t> processes_with(std::string_view variable) {
  const std::string wanted = '\0' + std::string(variable) + '\0';
  std::vector<pid_t> found;
  for (const pid_t pid : all_pids()) {
    // Of other users' processes it cannot be read.
    const std::string environment = '\0' + read_whole("/proc/" + std::to_string(pid) + "/environ");
    if (environment.find(wanted) != std::string::npos) found.push_back(pid);
  }
  return found;
}

}  // namespace bentohost::upstream
