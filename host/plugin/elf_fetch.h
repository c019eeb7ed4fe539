// How an ElfImage fetches from a descriptor: reads rather than maps, for a file that is cut short
// under a mapping is a SIGBUS.
#pragma once

#include "plugin/elf_image.h"

namespace bentohost::plugin {

// `error` becomes the errno of a read that failed; a file that has become shorter is EIO. Both
// must outlive the image.
ElfImage::Fetch fetch_from(int fd, int& error);

}  // namespace bentohost::plugin
