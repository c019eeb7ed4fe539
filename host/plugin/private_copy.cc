#include "plugin/private_copy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "plugin/elf_check.h"

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "bentohost-";
constexpr const char* kLockName = "lock";
constexpr int kAttempts = 5;
constexpr Duration kLookAgain = std::chrono::milliseconds(10);

Status system_error(const std::string& what) {
  const int error = errno;
  const bento_code code = error == ENOENT || error == ENOTDIR  ? BENTO_NOT_FOUND
                          : error == ENOSPC || error == EDQUOT ? BENTO_RESOURCE_EXHAUSTED
                          : error == EACCES || error == EPERM  ? BENTO_PERMISSION_DENIED
                                                               : BENTO_UNAVAILABLE;
  return {code, what + ": " + std::generic_category().message(error)};
}

std::string default_parent() {
  for (const char* name : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string first(value,
                            std::string_view(value).find(':') == std::string_view::npos
                                ? std::string_view(value).size()
                                : std::string_view(value).find(':'));  // systemd gives a list
    if (::access(first.c_str(), W_OK | X_OK) == 0) return first;
  }
  return "/tmp";
}

// The lock of such a folder, or none: then its process lives.
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

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

CopyFolder::Stamp stamp_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

// By the wall clock, as files have it. One from the future has been left alone for long.
bool is_quiet(const CopyFolder::Stamp& stamp, Duration quiet) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t age = nanoseconds(now) - std::max(stamp.modified_ns, stamp.changed_ns);
  return age < 0 || age >= std::chrono::nanoseconds(quiet).count();
}

Status copy_bytes(int from, int to) {
  for (;;) {
    const ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
    if (n == 0) return {};
    if (n > 0 || errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
      return system_error("copying");
    }
    break;  // not between these two: by hand, from where it stopped
  }
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? Status() : system_error("reading");
    for (ssize_t done = 0; done < got;) {
      const ssize_t n = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (n < 0 && errno != EINTR) return system_error("writing the copy");
      done += std::max<ssize_t>(n, 0);
    }
  }
}

}  // namespace

PrivateCopy::~PrivateCopy() { ::unlink(path_.c_str()); }

Result<std::unique_ptr<CopyFolder>> CopyFolder::create(const std::string& parent) {
  const fs::path above = parent.empty() ? default_parent() : parent;
  remove_abandoned(above);
  const std::string pattern =
      above / (std::string(kPrefix) + std::to_string(::getpid()) + "-XXXXXX");
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = pattern;
    if (::mkdtemp(name.data()) == nullptr) {
      return system_error("no folder for copies of plugins can be made in " + above.string() +
                          " (choose another with --copy-dir)");
    }
    // Another that starts now may take it for abandoned before we have its lock.
    UniqueFd lock = try_lock(name, O_CREAT);
    struct stat info {};
    if (lock && ::fstat(lock.get(), &info) == 0 && info.st_nlink != 0) {
      return std::unique_ptr<CopyFolder>(new CopyFolder(std::move(name), std::move(lock)));
    }
    status = system_error(name + "/" + kLockName);
    std::error_code ignored;
    fs::remove_all(name, ignored);
  }
  return status;
}

CopyFolder::~CopyFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  // One that crashed may have been dying still when we began in its place.
  remove_abandoned(fs::path(path_).parent_path());
}

Result<CopyFolder::Stamp> CopyFolder::stamp(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return system_error(path);
  return stamp_of(info);
}

Result<PrivateCopyPtr> CopyFolder::copy(const std::string& path, Duration quiet, Duration longest,
                                        Stamp& stamp) {
  const TimePoint deadline = std::chrono::steady_clock::now() + longest;
  for (;; std::this_thread::sleep_for(kLookAgain)) {
    // A FIFO would block in open.
    const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!from || ::fstat(from.get(), &info) != 0) return system_error(path);
    if (!S_ISREG(info.st_mode))
      return check_elf_file(path).prefixed(path + ": ");  // says what it is
    stamp = stamp_of(info);
    if (is_quiet(stamp, quiet)) {
      const std::string name = fs::path(path).filename();
      auto copy =
          std::make_shared<const PrivateCopy>(path_ + "/" + std::to_string(next_++) + "-" + name);
      const UniqueFd to(
          ::open(copy->path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
      if (!to) return system_error(copy->path());
      if (Status status = copy_bytes(from.get(), to.get()); !status.ok()) {
        return std::move(status).prefixed(path + " to " + path_ + ": ");
      }
      // Who wrote to it meanwhile, or put another in its place, is not done with it.
      const auto now = CopyFolder::stamp(path);
      if (now.ok() && *now == stamp) return PrivateCopyPtr(std::move(copy));
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status(BENTO_UNAVAILABLE, path + ": is still being written to");
    }
  }
}

Result<bool> same_bytes(const std::string& one, const std::string& other) {
  const UniqueFd a(::open(one.c_str(), O_RDONLY | O_CLOEXEC));
  if (!a) return system_error(one);
  const UniqueFd b(::open(other.c_str(), O_RDONLY | O_CLOEXEC));
  if (!b) return system_error(other);
  std::array<char, 65536> left, right;
  const auto fill = [](int fd, std::array<char, 65536>& buffer) {
    std::size_t size = 0;
    while (size < buffer.size()) {
      const ssize_t n = ::read(fd, buffer.data() + size, buffer.size() - size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      size += static_cast<std::size_t>(n);
    }
    return size;
  };
  for (;;) {
    const std::size_t size = fill(a.get(), left);
    if (size != fill(b.get(), right)) return false;
    if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size),
                    right.begin())) {
      return false;
    }
    if (size == 0) return true;
  }
}

}  // namespace bentohost::plugin
