// The state of the source files in a program's folder: for reloads when they change. Any thread.
#pragma once

#include <string>
#include <vector>

namespace bentohost::service {

// Paths, sizes and times of all source files (Python, JavaScript, templates) in the folder and
// below it, as text: equal if nothing has changed. Hidden folders and those of caches and packages
// (__pycache__, node_modules) are not looked into, nor is more than kMostEntries or kDeepest.
inline constexpr std::size_t kMostEntries = 20'000;
inline constexpr int kDeepest = 8;
std::string source_files_state(const std::string& folder);

// The folders that it looks into, the given one first.
std::vector<std::string> source_folders(const std::string& folder);

}  // namespace bentohost::service
