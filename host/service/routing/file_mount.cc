#include "service/routing/file_mount.h"

#include <algorithm>
#include <chrono>

#include "http/files/file_reader.h"
#include "json/json.h"

namespace bentohost::service {
namespace {

// How much of a file is read at once. A response up to this size is sent whole.
constexpr std::size_t kPiece = 64u << 10;

http::WallTime wall_time() {
  return std::chrono::time_point_cast<http::WallTime::duration>(std::chrono::system_clock::now());
}

std::string folder_of(const plugin::Instance& instance, const plugin::MountSpec& spec) {
  std::string folder = spec.folder;
  if (folder.empty()) {
    // describe() has found the option in the schema, and the options were checked against that.
    const auto options = parse_json(instance.config().options_json);
    if (options.ok() && options->IsObject()) {
      const auto option = options->FindMember(spec.folder_option.c_str());
      if (option != options->MemberEnd() && option->value.IsString()) {
        folder.assign(option->value.GetString(), option->value.GetStringLength());
      }
    }
  }
  return folder.starts_with('/') ? folder : instance.config().file.dir() + "/" + folder;
}

// The first piece has been read; the head says how many bytes will come.
void stream(RequestContext& request, http::Response head, std::string piece,
            http::FileReader& reader) {
  head.body = piece;
  if (Status status = request.start(std::move(head)); !status.ok()) {
    if (status.code() != BENTO_CANCELLED) return request.fail(status);
    (void)request.write({}, false);
    return;
  }
  while (true) {
    piece.resize(kPiece);
    const Result<std::size_t> size = reader.read(piece.data(), piece.size());
    if (!size.ok()) return request.abort(size.status());
    const bool more = *size == kPiece;
    const Status status = request.write(std::string_view(piece).substr(0, *size), more);
    if (!more) return;
    if (status.ok()) continue;
    (void)request.write({}, false);  // the client is gone
    return;
  }
}

}  // namespace

Result<FileMount> FileMount::open(const plugin::Instance& instance, const plugin::MountSpec& spec,
                                  std::string root_path) {
  auto files = http::StaticFiles::open(folder_of(instance, spec), {spec.cache_control});
  if (!files.ok()) {
    const std::string option =
        spec.folder_option.empty() ? "" : " (option " + spec.folder_option + ")";
    return std::move(files).take_status().prefixed("service " + instance.spec().name + ": files " +
                                                   spec.prefix + option + ": ");
  }
  return FileMount(*std::move(files), std::move(root_path));
}

void FileMount::serve(RequestContext& request) const {
  const http::Request& from = request.request();
  if (from.path == root_path_) {
    return request.answer(http::redirect_to_folder(from.path, from).head);
  }
  const std::string_view below = std::string_view(from.path).substr(root_path_.size() + 1);
  Result<http::FileResponse> found = files_.serve(below, from, wall_time(), request.request_id());
  if (!found.ok()) return request.fail(found.status());

  http::FileResponse response = *std::move(found);
  const bool is_head = from.method == "HEAD";
  const bool is_bare = response.pieces.empty() && (!is_head || response.length == 0);
  if (is_bare) return request.answer(std::move(response.head));  // the head's own body, or none

  response.head.headers.push_back({"Content-Length", std::to_string(response.length)});
  if (is_head) {
    const Status status = request.start(std::move(response.head));
    if (!status.ok() && status.code() != BENTO_CANCELLED) return request.fail(status);
    (void)request.write({}, false);
    return;
  }
  http::FileReader reader(std::move(response.file), std::move(response.pieces));
  std::string piece(std::min<std::uint64_t>(kPiece, response.length), '\0');
  const Result<std::size_t> size = reader.read(piece.data(), piece.size());
  if (!size.ok()) return request.fail(size.status());
  if (response.length > kPiece) return stream(request, std::move(response.head), piece, reader);
  response.head.body = std::move(piece);
  response.head.headers.pop_back();  // the connection writes Content-Length
  request.answer(std::move(response.head));
}

}  // namespace bentohost::service
