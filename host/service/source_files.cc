#include "service/source_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace bentohost::service {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> kSources = {".py",   ".js",  ".mjs",   ".cjs",    ".ts",
                                                       ".html", ".htm", ".jinja", ".jinja2", ".j2"};
constexpr std::array<std::string_view, 5> kPassedOver = {"__pycache__", "node_modules",
                                                         "site-packages", "dist-packages", "venv"};

template <typename List>
bool contains(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Calls on_folder(path) and on_file(entry). A folder that cannot be read is passed over.
template <typename OnFolder, typename OnFile>
void walk(const std::string& folder, OnFolder on_folder, OnFile on_file) {
  std::error_code ignored;
  std::size_t entries = 0;
  on_folder(folder);
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                           ignored);
       at != fs::recursive_directory_iterator() && ++entries <= kMostEntries;
       at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (at->is_directory(ignored)) {
      const bool is_passed_over = name.starts_with('.') || contains(kPassedOver, name);
      if (is_passed_over || at.depth() >= kDeepest) {
        at.disable_recursion_pending();
      } else {
        on_folder(at->path().string());
      }
    } else if (contains(kSources, at->path().extension().string())) {
      on_file(*at);
    }
  }
}

}  // namespace

std::string source_files_state(const std::string& folder) {
  std::vector<std::string> lines;
  walk(
      folder, [](const std::string&) {},
      [&lines](const fs::directory_entry& file) {
        std::error_code ignored;
        lines.push_back(file.path().string() + " " + std::to_string(file.file_size(ignored)) + " " +
                        std::to_string(file.last_write_time(ignored).time_since_epoch().count()) +
                        "\n");
      });
  std::sort(lines.begin(), lines.end());
  std::string state;
  for (const std::string& line : lines) state += line;
  return state;
}

std::vector<std::string> source_folders(const std::string& folder) {
  std::vector<std::string> folders;
  walk(
      folder, [&folders](const std::string& path) { folders.push_back(path); },
      [](const fs::directory_entry&) {});
  return folders;
}

}  // namespace bentohost::service
