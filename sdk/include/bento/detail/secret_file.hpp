// Secrets: same_secret() compares them, and SecretFile is a file of secrets that is read again when
// it changes, so that secrets are replaced without a restart. For the stock middleware that
// authenticates.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::detail {

// The time does not depend on where the texts differ; it reveals only whether their lengths differ.
inline bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char differences = 0;  // volatile: no step may be skipped
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences = static_cast<unsigned char>(differences | (a[i] ^ b[i]));
  }
  return differences == 0;
}

// Compares with all of them, so that the time does not depend on which one matches.
inline bool is_one_of(std::string_view given, const std::vector<std::string>& secrets) {
  bool found = false;
  for (const std::string& secret : secrets) found = same_secret(given, secret) || found;
  return found;
}

// Removes the UTF-8 byte order mark that Windows editors put at the beginning of a file.
inline std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

// The lines that are not empty and do not begin with '#'. Lines end with LF or CR LF.
inline std::vector<std::string> secret_lines(std::string_view text) {
  text = without_mark(text);
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && line[0] != '#') lines.emplace_back(line);
  }
  return lines;
}

using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

// Secrets of type T from options, or from a file's text by a function that throws an error if the
// text is invalid. Any thread; at most once a second, one caller checks the file, while other
// callers get the present secrets. If the file is gone or has become unusable, the secrets stay in
// use, and the log says so.
template <typename T>
class SecretFile {
 public:
  using Parse = std::function<T(std::string_view)>;

  explicit SecretFile(T secrets) : current_(std::make_shared<const T>(std::move(secrets))) {}
  // Throws Error if the file cannot be used now.
  SecretFile(std::string path, Parse parse, SteadyNow now)
      : path_(std::move(path)),
        parse_(std::move(parse)),
        now_(std::move(now)),
        next_look_(now_() + kInterval),
        seen_(look()),
        current_(read()) {}
  SecretFile(const SecretFile&) = delete;

  std::shared_ptr<const T> get(const ExchangeView& exchange) {
    std::shared_ptr<const T> current;
    {
      const std::lock_guard lock(mutex_);
      current = current_;
      if (path_.empty() || is_looking_ || now_() < next_look_) return current;
      is_looking_ = true;
    }
    std::string fault;
    try {
      const Stamp stamp = look();
      if (stamp != seen_) {
        current = read();
        seen_ = stamp;
      }
    } catch (const std::exception& error) {
      fault = error.what();
    }
    if (!fault.empty() && fault != fault_) {  // once, not once a second
      exchange.log(Log::kWarning, fault + "; its last good contents are still in use");
    }
    {
      const std::lock_guard lock(mutex_);
      fault_ = std::move(fault);
      current_ = current;
      next_look_ = now_() + kInterval;
      is_looking_ = false;
    }
    return current;
  }

 private:
  static constexpr std::chrono::seconds kInterval{1};
  static constexpr std::size_t kMaxFile = std::size_t{1} << 20;

  struct Stamp {
    dev_t device;
    ino_t file;
    off_t size;
    std::int64_t seconds, nanoseconds;
    bool operator==(const Stamp&) const = default;  // ctime changes with the text and its mode
  };

  Stamp look() const {
    struct stat found {};
    if (::stat(path_.c_str(), &found) != 0) fail("cannot be found");
    if (!S_ISREG(found.st_mode)) fail("is not a regular file");  // reading a pipe would wait
    return {found.st_dev, found.st_ino, found.st_size, found.st_ctim.tv_sec, found.st_ctim.tv_nsec};
  }
  std::shared_ptr<const T> read() const {
    std::ifstream file(path_, std::ios::binary);
    std::string text(kMaxFile + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.empty()) fail(file.eof() ? "is empty" : "cannot be read");
    if (!file.eof()) fail("is longer than 1 MiB");
    try {
      return std::make_shared<const T>(parse_(text));
    } catch (const Error& error) {
      fail(error.what());
    }
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(BENTO_INVALID_ARGUMENT, "the file " + path_ + " " + why);
  }

  const std::string path_;
  const Parse parse_;
  const SteadyNow now_;
  std::mutex mutex_;  // guards what follows; seen_ and fault_ are the checking caller's
  std::chrono::steady_clock::time_point next_look_;
  bool is_looking_ = false;
  Stamp seen_{};
  std::string fault_;
  std::shared_ptr<const T> current_;
};

using SecretList = SecretFile<std::vector<std::string>>;

// The secrets of an option or, without them, the lines of a file. `is_valid` checks a secret, and
// `form` describes a valid one.
inline std::unique_ptr<SecretList> secret_list(const std::string& option,
                                               std::vector<std::string> secrets,
                                               const std::string& path,
                                               bool (*is_valid)(std::string_view),
                                               const std::string& form, SteadyNow now) {
  const auto check = [=](std::vector<std::string> all) {
    if (all.empty() || !std::all_of(all.begin(), all.end(), is_valid)) {
      throw Error(BENTO_INVALID_ARGUMENT, "has to have " + form);  // never quote the secret
    }
    return all;
  };
  if (secrets.empty() == path.empty()) {
    throw Error(BENTO_INVALID_ARGUMENT, "one of " + option + " and " + option + "_file is needed");
  }
  if (!path.empty()) {
    return std::make_unique<SecretList>(
        path, [check](std::string_view text) { return check(secret_lines(text)); }, std::move(now));
  }
  try {
    return std::make_unique<SecretList>(check(std::move(secrets)));
  } catch (const Error& error) {
    throw Error(error.code(), option + " " + error.what());
  }
}

}  // namespace bento::detail
