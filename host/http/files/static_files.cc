#include "http/files/static_files.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "http/date.h"
#include "http/files/content_type.h"
#include "http/files/open_beneath.h"
#include "http/problem.h"
#include "http/route/redirect.h"

namespace bentohost::http {
namespace {

constexpr std::string_view kIndex = "index.html";

Status no_such_file() { return Status(BENTO_NOT_FOUND, "there is no such file"); }

// Whether a segment begins with a dot, such as .git or "..".
bool has_dot_segment(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

WallTime modified_at(const struct stat& info) {
  return WallTime(std::chrono::seconds(info.st_mtim.tv_sec) +
                  std::chrono::nanoseconds(info.st_mtim.tv_nsec));
}

// A boundary that nobody can guess and put into a file.
Result<std::string> random_boundary() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Status(BENTO_INTERNAL, "there are no random bytes");
  }
  std::string text;
  for (const unsigned char byte : bytes) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", byte);
    text.append(hex.data());
  }
  return text;
}

FileResponse refuse(int status, std::string_view detail, const Request& request,
                    std::string_view request_id) {
  FileResponse response;
  response.head = problem(status, detail, request.path, request_id);
  response.length = response.head.body.size();
  return response;
}

}  // namespace

FileResponse redirect_to_folder(std::string_view path, const Request& request) {
  FileResponse response;
  response.head.status = 301;
  response.head.headers.push_back({"Location", location_with_slash(path, request.query)});
  return response;
}

struct StaticFiles::OpenFile {
  UniqueFd fd;
  bool is_folder = false;
  std::uint64_t size = 0;
  WallTime modified;
};

Result<StaticFiles> StaticFiles::open(const std::string& folder, StaticOptions options) {
  UniqueFd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd) return StaticFiles(std::move(fd), std::move(options));
  std::string message = folder;
  return Status(BENTO_NOT_FOUND,
                message.append(": ").append(std::generic_category().message(errno)));
}

Result<FileResponse> StaticFiles::serve(std::string_view path, const Request& request, WallTime now,
                                        std::string_view request_id) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return Status::with_http(405, BENTO_INVALID_ARGUMENT, "files allow GET and HEAD only");
  }
  if (has_dot_segment(path)) return no_such_file();
  const bool names_folder = path.empty() || path.back() == '/';
  std::string name(path);
  if (names_folder) name.append(kIndex);
  Result<OpenFile> file = open_file(name);
  if (!file.ok()) return std::move(file).take_status();
  if (!file->is_folder) {
    return respond(*std::move(file), content_type_of(name), request, now, request_id);
  }
  if (names_folder) return no_such_file();
  const Result<OpenFile> index = open_file(name.append("/").append(kIndex));
  if (!index.ok() || index->is_folder) return no_such_file();
  return redirect_to_folder(path, request);
}

// Opens a regular file or a folder.
Result<StaticFiles::OpenFile> StaticFiles::open_file(std::string_view path) const {
  Result<UniqueFd> fd = open_beneath(folder_.get(), path);
  if (!fd.ok()) return std::move(fd).take_status();
  struct stat info {};
  if (fstat(fd->get(), &info) != 0) return Status(BENTO_INTERNAL, "fstat() failed");
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return no_such_file();
  return OpenFile{*std::move(fd), S_ISDIR(info.st_mode), static_cast<std::uint64_t>(info.st_size),
                  modified_at(info)};
}

Result<FileResponse> StaticFiles::respond(OpenFile file, std::string_view type,
                                          const Request& request, WallTime now,
                                          std::string_view request_id) const {
  const Validators validators = file_validators(file.size, file.modified, now);
  const Selection selection = select(request, validators, file.size, now);
  if (selection.status == 412) {
    return refuse(412, "the file is not in the state that the request asks for", request,
                  request_id);
  }
  if (selection.status == 416) {
    FileResponse response = refuse(416, "the file has no bytes in this range", request, request_id);
    response.head.headers.push_back({"Content-Range", unsatisfied_range(file.size)});
    return response;
  }

  FileResponse response;
  Headers& headers = response.head.headers;
  response.head.status = selection.status;
  headers.push_back({"ETag", validators.etag});
  if (!options_.cache_control.empty()) {
    headers.push_back({"Cache-Control", options_.cache_control});
  }
  // A 304 needs no other headers: the client knows them already (RFC 9110 15.4.5).
  if (selection.status == 304) return response;
  headers.push_back({"Last-Modified", std::string(http_date(validators.last_modified))});
  headers.push_back({"Accept-Ranges", "bytes"});
  headers.push_back({"X-Content-Type-Options", "nosniff"});
  response.head.content_type = type;

  if (selection.ranges.size() > 1) {
    const Result<std::string> boundary = random_boundary();
    if (!boundary.ok()) return boundary.status();
    response.head.content_type = multipart_type(*boundary);
    response.pieces = multipart_byteranges(selection.ranges, file.size, type, *boundary);
  } else if (!selection.ranges.empty()) {
    headers.push_back({"Content-Range", content_range(selection.ranges[0], file.size)});
    response.pieces.push_back({{}, selection.ranges[0]});
  } else if (file.size > 0) {
    response.pieces.push_back({{}, {0, file.size}});
  }
  response.length = total_length(response.pieces);
  if (request.method == "HEAD") response.pieces.clear();
  if (!response.pieces.empty()) response.file = std::move(file.fd);
  return response;
}

}  // namespace bentohost::http
