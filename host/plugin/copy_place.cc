#include "plugin/copy_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "plugin/file_copy.h"

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "bentohost-";
constexpr const char* kLockName = "lock";
constexpr int kAttempts = 5;

std::vector<std::string> default_parents() {
  std::vector<std::string> all;
  for (const char* name : {"CACHE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view list(value);
    all.emplace_back(list.substr(0, list.find(':')));  // systemd sets a list
  }
  all.insert(all.end(), {"/tmp", "/var/tmp"});
  return all;
}

// The lock of a process's folder; none if that process still holds it.
UniqueFd try_lock(const fs::path& folder, int flags) {
  UniqueFd fd(::open((folder / kLockName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

void remove_abandoned(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename();
    struct stat info {};
    if (!name.starts_with(kPrefix) || ::lstat(entry.path().c_str(), &info) != 0 ||
        !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid()) {
      continue;
    }
    if (const UniqueFd lock = try_lock(entry.path(), 0)) fs::remove_all(entry.path(), ignored);
  }
}

// Checks that the kernel maps code from files in `folder`, as the loader will need.
Status check_is_executable(const std::string& folder) {
  const std::string path = folder + "/code";
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
  if (!fd) return file_error(path);
  ::unlink(path.c_str());
  constexpr std::string_view kContent = "code";
  if (::write(fd.get(), kContent.data(), kContent.size()) < 0) return file_error(path);
  void* const code =
      ::mmap(nullptr, kContent.size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  if (code != MAP_FAILED) {
    ::munmap(code, kContent.size());
    return {};
  }
  const int error = errno;
  struct statvfs mount {};
  const bool is_noexec = ::statvfs(folder.c_str(), &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0;
  return {BENTO_PERMISSION_DENIED,
          is_noexec
              ? "it is mounted noexec, so that no code can be loaded from there"
              : "no code can be loaded from there: " + std::generic_category().message(error)};
}

}  // namespace

Result<std::shared_ptr<CopyPlace>> CopyPlace::create(const std::string& parent) {
  std::shared_ptr<CopyPlace> place(new CopyPlace(parent));
  const MutexLock lock(place->mutex_);
  if (Status status = place->make(); !status.ok()) return status;
  return place;
}

Status CopyPlace::make() {
  constexpr std::string_view kWayOut = " (choose another with --copy-dir)";
  const auto refused = [](const std::string& parent, const Status& why) {
    return "no folder for copies of plugins can be made in " + parent + ": " + why.message();
  };
  if (!parent_.empty()) {
    Status status = make_below(parent_);
    if (status.ok()) return {};
    return {status.code(), refused(parent_, status) + std::string(kWayOut)};
  }
  std::string passed_over;
  bento_code code = BENTO_UNAVAILABLE;
  for (const std::string& parent : default_parents()) {
    const Status status = make_below(parent);
    if (status.ok()) {
      if (!passed_over.empty()) log_info(passed_over + "; they go to " + parent);
      return {};
    }
    code = status.code();
    passed_over += (passed_over.empty() ? "" : "; ") + refused(parent, status);
  }
  return {code, passed_over + std::string(kWayOut)};
}

Status CopyPlace::make_below(const std::string& parent) {
  const fs::path above = parent;
  remove_abandoned(above);
  const std::string pattern =
      above / (std::string(kPrefix) + std::to_string(::getpid()) + "-XXXXXX");
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = pattern;
    if (::mkdtemp(name.data()) == nullptr) {
      const int error = errno;
      return {file_error({}).code(), std::generic_category().message(error)};
    }
    // Another process that starts now may think the folder abandoned before we lock it.
    UniqueFd lock = try_lock(name, O_CREAT);
    struct stat info {};
    std::error_code ignored;
    if (!lock || ::fstat(lock.get(), &info) != 0 || info.st_nlink == 0) {
      status = file_error(name + "/" + kLockName);
      fs::remove_all(name, ignored);
      continue;
    }
    if (status = check_is_executable(name); !status.ok()) {
      fs::remove_all(name, ignored);
      return status;
    }
    lock_ = std::move(lock);
    folder_ = UniqueFd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder_) ::flock(folder_.get(), LOCK_EX | LOCK_NB);  // may fail; not essential
    path_ = std::move(name);
    return {};
  }
  return status;
}

bool CopyPlace::is_there() const {
  struct stat ours {
  }, there{};
  return ::fstat(lock_.get(), &ours) == 0 &&
         ::lstat((path_ + "/" + kLockName).c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

Status CopyPlace::ensure() {
  if (is_over_) return {BENTO_UNAVAILABLE, path_ + ": the server is shutting down"};
  if (is_there()) return {};
  log_warning("the folder for copies of plugins was removed; making a new one", {{"path", path_}});
  std::error_code ignored;
  fs::remove_all(path_, ignored);  // its remains
  if (!parent_.empty()) fs::create_directories(parent_, ignored);
  return make();
}

void CopyPlace::remove() {
  const MutexLock lock(mutex_);
  if (std::exchange(is_over_, true) || path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  // A process that crashed may still have been dying when we started in its place.
  remove_abandoned(fs::path(path_).parent_path());
}

}  // namespace bentohost::plugin
