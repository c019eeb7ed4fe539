// Opening files below a folder, and never outside of it, whatever paths and symlinks say. Blocks on
// the disk. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::http {

// Opens "a/b" below `folder` (O_PATH is enough) for reading, without waiting for a FIFO's writer;
// what it is, file or not, is for the caller to see. Relative symlinks are followed as long as they
// stay inside (openat2 with RESOLVE_BENEATH). The Status has the HTTP status to answer with: 404,
// 403, 503 when descriptors ran out. Empty segments, "." and ".." are 404.
Result<UniqueFd> open_beneath(int folder, std::string_view path);

// The same segment by segment, following no symlink at all: what open_beneath() does on kernels
// before 5.6 and in sandboxes that refuse openat2.
Result<UniqueFd> walk_beneath(int folder, std::string_view path);

}  // namespace bentohost::http
