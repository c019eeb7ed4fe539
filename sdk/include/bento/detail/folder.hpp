// Folder: serves files from a Router. It is minimal: for ETags, conditional requests and ranges,
// use Service::files(), which has the host serve the folder. Part of <bento/bento.hpp>.
#pragma once

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/stream.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bento::detail {

// The media type of a file, by the extension of its name.
inline std::string_view media_type(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".txt", "text/plain; charset=utf-8"},
      {".csv", "text/csv; charset=utf-8"},
      {".json", "application/json"},
      {".wasm", "application/wasm"},
      {".pdf", "application/pdf"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".gif", "image/gif"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
  };
  for (const auto& [suffix, type] : kTypes) {
    if (name.ends_with(suffix)) return type;
  }
  return "application/octet-stream";
}

class Folder {
 public:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}

  // Sends the file at `path` (percent-decoded) below the folder; "" and "docs/" mean the index.html
  // there. Throws Error, 404, if the path is not a file, contains a dot-file, or is a link that
  // leads out of the folder.
  void send(std::string_view path, Stream& stream) const {
    std::string name(path);
    if (name.empty() || name.ends_with('/')) name += "index.html";
    const std::filesystem::path file = find(name);
    std::ifstream bytes(file, std::ios::binary);
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    if (!bytes || error) refuse();
    stream.start(200, media_type(name), {{"Content-Length", std::to_string(size)}});
    std::vector<char> piece(kPieceBytes);
    for (std::uintmax_t left = size; left > 0;) {
      const auto wanted = static_cast<std::streamsize>(std::min<std::uintmax_t>(left, kPieceBytes));
      if (!bytes.read(piece.data(), wanted)) {
        throw Error(BENTO_INTERNAL, file.string() + " became shorter while it was sent");
      }
      left -= static_cast<std::uintmax_t>(wanted);
      stream.send({piece.data(), static_cast<std::size_t>(wanted)});
    }
    stream.end();
  }

 private:
  static constexpr std::size_t kPieceBytes = 64 * 1024;

  [[noreturn]] static void refuse() { throw Error(BENTO_NOT_FOUND, "there is no such file"); }
  // No segment may be empty or begin with a dot, so the path cannot lead upwards.
  static bool is_clean(std::string_view name) {
    const std::string all = "/" + std::string(name);
    return all.find("//") == std::string::npos && all.find("/.") == std::string::npos &&
           all.find_first_of(std::string_view("\\\0", 2)) == std::string::npos;
  }
  std::filesystem::path find(const std::string& name) const {
    if (!is_clean(name)) refuse();
    std::error_code error, file_error;
    const std::filesystem::path folder = std::filesystem::canonical(path_, error);
    const std::filesystem::path file = std::filesystem::canonical(folder / name, file_error);
    if (error || file_error || !std::filesystem::is_regular_file(file, error)) refuse();
    const auto [in_folder, in_file] =
        std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    if (in_folder != folder.end() || in_file == file.end()) refuse();
    return file;
  }

  std::filesystem::path path_;
};

}  // namespace bento::detail
