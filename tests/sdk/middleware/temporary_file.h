// A file that is there as long as this.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bento::fakes {

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) : path_("/tmp/bento_secret_XXXXXX") {
    const int fd = ::mkstemp(path_.data());
    if (fd < 0) throw std::runtime_error("no temporary file");
    ::close(fd);
    replace(text);
  }
  ~TemporaryFile() { remove(); }
  TemporaryFile(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  // By another file, as those do who never want a half-written one to be seen.
  void replace(std::string_view text) const {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh, std::ios::binary) << text;
    std::rename(fresh.c_str(), path_.c_str());
  }
  void remove() const { std::remove(path_.c_str()); }

 private:
  std::string path_;
};

}  // namespace bento::fakes
