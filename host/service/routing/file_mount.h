// FileMount: a folder's files as answers to GET and HEAD below a prefix, in constant memory. The
// paths, conditions and ranges are http::StaticFiles' affair. Immutable; any number of threads.
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
  // The methods that it answers; others are the dispatcher's.
  static bool takes(std::string_view method) { return method == "GET" || method == "HEAD"; }

  // `root_path` is the whole prefix, "" for "/". The Status says which folder cannot be opened.
  static Result<FileMount> open(const plugin::Instance& instance, const plugin::MountSpec& spec,
                                std::string root_path);

  // [worker] (waits) For the disk and for a slow client.
  void serve(RequestContext& request) const;

 private:
  FileMount(http::StaticFiles files, std::string root_path)
      : files_(std::move(files)), root_path_(std::move(root_path)) {}

  http::StaticFiles files_;
  std::string root_path_;
};

}  // namespace bentohost::service
