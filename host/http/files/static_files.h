// StaticFiles: serves the files of one folder to GET and HEAD, with validators, conditions and
// ranges (RFC 9110 13 and 14). Serves nothing outside of the folder, no dot-files and no listings;
// a folder is its index.html. Does not read content: FileReader or sendfile() does. Blocks on the
// disk, so worker threads only. Immutable after open(); any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "http/files/byte_range.h"
#include "http/files/conditional.h"
#include "http/message.h"

namespace bentohost::http {

// A response whose body may be in a file.
struct FileResponse {
  Response head;  // has a body of its own if there is no file: 301, 412, 416
  UniqueFd file;  // open if and only if there are pieces
  // What to send, in order; empty for HEAD, for an empty file and if the body is in `head`.
  std::vector<BodyPiece> pieces;
  // Content-Length; for HEAD that of a GET. A 304 is sent without it.
  std::uint64_t length = 0;
};

// 301 from `path`, as requested, to the same path with a slash; keeps the query.
FileResponse redirect_to_folder(std::string_view path, const Request& request);

struct StaticOptions {
  std::string cache_control;  // for 200, 206 and 304; empty: no such header
};

class StaticFiles {
 public:
  // Keeps serving this folder even if its path later leads elsewhere. An error names path and
  // reason.
  static Result<StaticFiles> open(const std::string& folder, StaticOptions options = {});

  // `path` is below the folder, without a slash in front, percent-decoded and without "." and "..":
  // "", "a/b.css", "docs/". A folder without a final slash is redirected to the path with one, 301,
  // so that relative links in its page work. An error has the response's HTTP status: 404, 405
  // (send Allow: GET, HEAD), 403, 503 or 500. `now` is the wall-clock time; `request_id` is for a
  // problem's body.
  Result<FileResponse> serve(std::string_view path, const Request& request, WallTime now,
                             std::string_view request_id = {}) const;

 private:
  struct OpenFile;

  StaticFiles(UniqueFd folder, StaticOptions options)
      : folder_(std::move(folder)), options_(std::move(options)) {}
  Result<OpenFile> open_file(std::string_view path) const;
  Result<FileResponse> respond(OpenFile file, std::string_view type, const Request& request,
                               WallTime now, std::string_view request_id) const;

  UniqueFd folder_;
  StaticOptions options_;
};

}  // namespace bentohost::http
