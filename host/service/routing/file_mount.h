// FileMount: answers GET and HEAD below a prefix with a folder's files, in constant memory. Paths,
// conditions and ranges are left to http::StaticFiles. Immutable; any number of threads.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "http/files/static_files.h"
#include "plugin/instance.h"
#include "service/request.h"

namespace bentohost::service {

class FileMount {
 public:
  // The methods that it answers; the dispatcher answers the others.
  static bool takes(std::string_view method) { return method == "GET" || method == "HEAD"; }

  // `root_path` is the whole prefix, "" for "/". The Status says which folder cannot be opened.
  static Result<FileMount> open(const plugin::Instance& instance, const plugin::MountSpec& spec,
                                std::string root_path);

  // [worker] (waits) Waits for the disk and for a slow client.
  void serve(RequestContext& request) const;

 private:
  FileMount(http::StaticFiles files, std::string root_path)
      : files_(std::move(files)), root_path_(std::move(root_path)) {}

  http::StaticFiles files_;
  std::string root_path_;
};

}  // namespace bentohost::service
