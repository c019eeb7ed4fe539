#include "plugin/thread_inside.h"

#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "base/process/host_thread.h"

namespace bentohost::plugin {
namespace {

constexpr std::uint64_t kMaxStack = 8u << 20;  // how much of it is read
constexpr int kLooks = 20;                     // tries for a running thread, 1 ms apart

struct Range {
  std::uint64_t begin, end;
  bool has(std::uint64_t address) const { return address >= begin && address < end; }
};

std::vector<Range> code_of(const std::string& image) {
  struct Search {
    const std::string& name;
    std::vector<Range> found;
  } search{image, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* arg) {
        auto& wanted = *static_cast<Search*>(arg);
        if (info->dlpi_name == nullptr || wanted.name != info->dlpi_name) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
          const std::uint64_t begin = info->dlpi_addr + segment.p_vaddr;
          wanted.found.push_back({begin, begin + segment.p_memsz});
        }
        return 1;
      },
      &search);
  return search.found;
}

// For a waiting thread, the last two words of /proc/self/task/TID/syscall are its stack pointer and
// program counter. Nothing while it runs.
std::optional<std::uint64_t> stack_pointer(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/syscall");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  if (all.size() < 3) return std::nullopt;
  const std::string_view sp = std::string_view(all[all.size() - 2]).substr(2);
  std::uint64_t value = 0;
  std::from_chars(sp.data(), sp.data() + sp.size(), value, 16);
  return value;
}

// Searches from `from` to the end of the mapping. Reads through the kernel, since the thread may
// end and its stack be unmapped.
bool has_address_above(std::uint64_t from, const std::vector<Range>& code) {
  std::array<std::uint64_t, 512> words;
  for (std::uint64_t at = from & ~std::uint64_t{7}; at < from + kMaxStack; at += sizeof words) {
    const iovec to{words.data(), sizeof words};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address
    const iovec there{reinterpret_cast<void*>(at), sizeof words};
    const ssize_t n = ::process_vm_readv(::getpid(), &to, 1, &there, 1, 0);
    if (n <= 0) return false;
    const auto end = words.begin() + n / static_cast<ssize_t>(sizeof(std::uint64_t));
    const bool found = std::any_of(words.begin(), end, [&](std::uint64_t word) {
      return std::ranges::any_of(code, [word](const Range& range) { return range.has(word); });
    });
    if (found) return true;
    if (n < static_cast<ssize_t>(sizeof words)) return false;
  }
  return false;
}

bool is_inside(pid_t tid, const std::vector<Range>& code) {
  for (int look = 0; look < kLooks; ++look) {
    if (const auto sp = stack_pointer(tid)) return has_address_above(*sp, code);
    if (!std::filesystem::exists("/proc/self/task/" + std::to_string(tid))) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

pid_t thread_inside(const std::string& image) {
  const std::vector<Range> code = code_of(image);
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const pid_t tid = std::atoi(task.path().filename().c_str());
    if (!is_host_thread(tid) && is_inside(tid, code)) return tid;
  }
  return 0;
}

}  // namespace bentohost::plugin
