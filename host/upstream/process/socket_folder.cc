#include "upstream/process/socket_folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace bentohost::upstream {
namespace {

constexpr std::size_t kLongestPath = sizeof(sockaddr_un{}.sun_path) - 1;
// "/bentohost-apps-XXXXXX" and "/NUMBER.sock".
constexpr std::size_t kOurPart = 22 + 26;

Status failed(const std::string& what, const std::string& path) {
  return {BENTO_INTERNAL, what + " " + path + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<SocketFolder> SocketFolder::create(const std::string& parent) {
  std::vector<std::string> parents = {parent};
  if (parent.empty()) {
    parents.clear();
    for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
      if (const char* value = ::getenv(name); value != nullptr && *value == '/') {
        parents.emplace_back(value);
      }
    }
    parents.emplace_back("/tmp");
  }
  Status status;
  for (const std::string& each : parents) {
    if (each.size() + kOurPart > kLongestPath) {
      status = Status(BENTO_INVALID_ARGUMENT,
                      "the path of a Unix socket in " + each + " would be too long (at most " +
                          std::to_string(kLongestPath) + " bytes); choose a shorter TMPDIR");
      continue;
    }
    std::string path = each + "/bentohost-apps-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) return SocketFolder(std::move(path));
    status = failed("cannot make a folder for the sockets of apps in", each);
  }
  return status;
}

SocketFolder::SocketFolder(SocketFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), last_(other.last_) {}

SocketFolder& SocketFolder::operator=(SocketFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(last_, other.last_);
  return *this;
}

SocketFolder::~SocketFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<std::string> SocketFolder::fresh() {
  if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) {
    return failed("cannot make the folder", path_);
  }
  // Somebody else's folder at this path would give our traffic away.
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      (info.st_mode & 0777) != 0700) {
    return Status(BENTO_PERMISSION_DENIED,
                  "the folder " + path_ + " is no longer private to this user");
  }
  return path_ + "/" + std::to_string(++last_) + ".sock";
}

}  // namespace bentohost::upstream
