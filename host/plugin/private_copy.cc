#include "plugin/private_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"
#include "plugin/elf_check.h"

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookAgain = std::chrono::milliseconds(10);
constexpr std::ptrdiff_t kMaxLinks = 4096;  // in one folder, libraries first

// By the wall clock, like file times. A time in the future counts as quiet.
bool is_quiet(const FileStamp& stamp, Duration quiet) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t now_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  const std::int64_t age = now_ns - std::max(stamp.modified_ns, stamp.changed_ns);
  return age < 0 || age >= std::chrono::nanoseconds(quiet).count();
}

// The deepest folder that contains all places; "" for the root.
std::string common_folder(const std::vector<BroughtFolder>& folders) {
  std::string common = folders.front().place;
  for (const BroughtFolder& folder : folders) {
    while (!(folder.place + "/").starts_with(common + "/")) common.erase(common.rfind('/'));
  }
  return common;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    names.push_back(entry.path().filename().string());
  }
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with(".so") || name.find(".so.") != std::string::npos;
  });
  names.resize(static_cast<std::size_t>(std::min(std::ssize(names), kMaxLinks)));
  return names;
}

}  // namespace

// ---- one copy ----

PrivateCopy::~PrivateCopy() {
  const MutexLock lock(place_->mutex());
  std::error_code ignored;
  fs::remove_all(root(), ignored);
}

std::string PrivateCopy::root() const { return place_->path() + "/" + std::to_string(number_); }

std::string PrivateCopy::path() const {
  const MutexLock lock(place_->mutex());
  return root() + "/" + files_.front().at;
}

Result<std::string> PrivateCopy::restore() const {
  const MutexLock lock(place_->mutex());
  if (Status status = restore_all(); !status.ok()) return status;
  return root() + "/" + files_.front().at;
}

Status PrivateCopy::restore_all() const {
  if (Status status = place_->ensure(); !status.ok()) return status;
  std::error_code error;
  fs::create_directories(root(), error);
  for (const std::string& folder : folders_) fs::create_directories(root() + "/" + folder, error);
  for (const File& file : files_) {
    if (Status status = file.file->put(root() + "/" + file.at); !status.ok()) return status;
  }
  for (const Link& link : links_) {
    const std::string at = root() + "/" + link.at;
    if (::symlink(link.target.c_str(), at.c_str()) != 0 && errno != EEXIST) return file_error(at);
  }
  return {};
}

KeptFilePtr PrivateCopy::library(const std::string& place) const {
  for (const File& file : files_) {
    if (!place.empty() && file.place == place) return file.file;
  }
  return nullptr;
}

// ---- all of them ----

Result<std::unique_ptr<CopyFolder>> CopyFolder::create(const std::string& parent) {
  auto place = CopyPlace::create(parent);
  if (!place.ok()) return std::move(place).take_status();
  return std::unique_ptr<CopyFolder>(new CopyFolder(*std::move(place)));
}

std::string CopyFolder::path() const {
  const MutexLock lock(place_->mutex());
  return place_->path();
}

Result<KeptFilePtr> CopyFolder::copy_when_quiet(const std::string& path, const std::string& at,
                                                Patience patience, FileStamp& stamp) {
  const TimePoint deadline = std::chrono::steady_clock::now() + patience.longest;
  for (;; std::this_thread::sleep_for(kLookAgain)) {
    // A FIFO would block in open.
    const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!from || ::fstat(from.get(), &info) != 0) return file_error(path);
    if (!S_ISREG(info.st_mode))
      return check_elf_file(path).prefixed(path + ": ");  // names the kind of file
    auto before = file_stamp(from.get());
    if (!before.ok()) return std::move(before).take_status();
    stamp = *before;
    if (is_quiet(stamp, patience.quiet)) {
      auto copy = KeptFile::make(from.get(), at);
      if (!copy.ok()) {
        return std::move(copy).take_status().prefixed(path + " to " + at + ": ");
      }
      // If the file was changed or replaced meanwhile, its author is not done.
      const auto now = file_stamp(path);
      if (now.ok() && *now == stamp) return copy;
      ::unlink(at.c_str());
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status(BENTO_UNAVAILABLE, path + ": is still being written to");
    }
  }
}

Result<std::shared_ptr<PrivateCopy>> CopyFolder::copy(const std::string& path, Patience patience,
                                                      FileStamp& stamp) {
  std::shared_ptr<PrivateCopy> copy(new PrivateCopy(place_, next_++));
  std::string root;
  {
    const MutexLock lock(copy->place_->mutex());
    if (Status status = copy->restore_all(); !status.ok()) return status;
    root = copy->root();
  }
  const std::string name = fs::path(path).filename();
  auto file = copy_when_quiet(path, root + "/" + name, patience, stamp);
  if (!file.ok()) return std::move(file).take_status();
  copy->files_.push_back({name, {}, *std::move(file)});
  return copy;
}

Result<KeptFilePtr> CopyFolder::copy_library(const std::string& source, const std::string& at,
                                             Patience patience) {
  std::erase_if(libraries_, [](const auto& one) { return one.second.second.expired(); });
  const auto now = file_stamp(source);
  if (const auto known = libraries_.find(source); known != libraries_.end() && now.ok()) {
    const KeptFilePtr file = known->second.second.lock();
    if (file != nullptr && known->second.first == *now) {
      if (Status status = file->put(at); !status.ok()) return status;
      return file;
    }
  }
  FileStamp stamp;
  auto file = copy_when_quiet(source, at, patience, stamp);
  if (file.ok()) libraries_[source] = {stamp, *file};
  return file;
}

Status CopyFolder::surround(PrivateCopy& copy, const Brought& brought, Patience patience) {
  if (brought.folders.empty()) return {};
  const std::string common = common_folder(brought.folders);
  const auto inside = [&](const std::string& place) {
    return place.size() > common.size() ? place.substr(common.size() + 1) : std::string();
  };
  std::set<std::string> taken;  // paths that must not be links
  for (const BroughtFolder& folder : brought.folders) {
    std::string at = inside(folder.place);
    for (std::string above = at; !above.empty();) {
      taken.insert(above);
      const std::size_t slash = above.rfind('/');
      above.erase(slash != std::string::npos ? slash : 0);
    }
    copy.folders_.push_back(std::move(at));
  }
  const std::string at = inside(brought.place);
  taken.insert(at);
  for (const BroughtLibrary& library : brought.libraries) {
    if (!library.place.empty()) taken.insert(inside(library.place));
  }
  for (const BroughtFolder& folder : brought.folders) {
    const std::string above = inside(folder.place);
    for (const std::string& name : names_in(folder.source)) {
      std::string link = above.empty() ? name : above + "/" + name;
      if (!taken.contains(link)) copy.links_.push_back({link, folder.source + "/" + name});
    }
  }

  std::string root;
  {
    const MutexLock lock(copy.place_->mutex());
    root = copy.root();
    const std::string before = std::exchange(copy.files_.front().at, at);
    if (Status status = copy.restore_all(); !status.ok()) return status;
    if (before != at) {
      ::unlink((root + "/" + before).c_str());
      if (Status status = copy.restore_all(); !status.ok()) return status;  // now a link, perhaps
    }
  }
  for (const BroughtLibrary& library : brought.libraries) {
    if (library.place.empty()) continue;
    const std::string library_at = inside(library.place);
    auto file = copy_library(library.source, root + "/" + library_at, patience);
    if (!file.ok()) {
      return std::move(file).take_status().prefixed("its library " + library.name + ": ");
    }
    copy.files_.push_back({library_at, library.place, *std::move(file)});
  }
  return {};
}

}  // namespace bentohost::plugin
