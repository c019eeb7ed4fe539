// Opens files below a folder, and never outside of it, whatever the path and symlinks are. Blocks
// on the disk. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::http {

// Opens "a/b" below `folder` (O_PATH is enough) for reading, without waiting for a FIFO's writer.
// The caller must check whether it is a regular file. Relative symlinks are followed if they stay
// inside (openat2 with RESOLVE_BENEATH). An error has the response's HTTP status: 404, 403, or 503
// if descriptors ran out. Empty segments, "." and ".." are 404.
Result<UniqueFd> open_beneath(int folder, std::string_view path);

// The same, segment by segment, following no symlinks. open_beneath() uses it on kernels before 5.6
// and in sandboxes that refuse openat2.
Result<UniqueFd> walk_beneath(int folder, std::string_view path);

}  // namespace bentohost::http
