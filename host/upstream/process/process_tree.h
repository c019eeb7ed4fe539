// Process tree: which processes there are below another, from /proc. A snapshot: processes start
// and end while it is taken. Any thread. Takes milliseconds on a machine with many processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace bentohost::upstream {

struct ProcessInfo {
  pid_t pid, parent;
  char state;              // of proc(5): 'Z' is a zombie
  std::uint64_t resident;  // bytes
};

// Everything below `root`, without it.
std::vector<ProcessInfo> descendants_of(pid_t root);
// The resident bytes of `root` and everything below it; 0 if it has ended.
std::uint64_t memory_of_tree(pid_t root);
// Processes of this user that were started with the environment variable `variable`, "NAME=VALUE".
std::vector<pid_t> processes_with(std::string_view variable);

}  // namespace bentohost::upstream
