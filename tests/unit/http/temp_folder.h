// A test's own temporary folder, removed with its contents.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp() is POSIX

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace bentohost::http {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bento_http_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  std::filesystem::path path(std::string_view name = {}) const { return path_ / name; }

  // Also makes the parent folders.
  void write(std::string_view name, std::string_view content) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }
  void link(std::string_view name, std::string_view target) const {
    std::filesystem::create_symlink(target, path(name));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace bentohost::http
