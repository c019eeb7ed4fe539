#include "reload/watch_paths.h"

#include <filesystem>
#include <system_error>

namespace bentohost::reload {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // the kernel's limit (ELOOP)

}  // namespace

std::set<std::string> folders_to_watch(const std::string& path) {
  std::set<std::string> folders;
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  folders.insert(whole.parent_path());
  for (int links = 0; links < kMaxLinks; ++links) {
    fs::path walked, rest;
    bool is_link = false;
    for (auto it = whole.begin(); it != whole.end(); ++it) {
      if (is_link) {
        rest /= *it;
        continue;
      }
      const fs::path next = walked / *it;
      if (fs::is_symlink(next, error)) {
        is_link = true;
        folders.insert(walked);
        const fs::path target = fs::read_symlink(next, error);
        walked = target.is_absolute() ? target : walked / target;
      } else {
        walked = next;
      }
    }
    whole = (walked / rest).lexically_normal();
    if (whole.filename().empty()) whole = whole.parent_path();
    folders.insert(whole.parent_path());
    if (!is_link) break;
  }
  return folders;
}

}  // namespace bentohost::reload
