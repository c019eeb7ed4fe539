// Lets an ElfImage fetch from a descriptor. Reads rather than maps, since truncating a mapped file
// causes SIGBUS.
#pragma once

#include "plugin/elf_image.h"

namespace bentohost::plugin {

// Sets `error` to the errno of a failed read; EIO if the file became shorter. Both arguments must
// outlive the image.
ElfImage::Fetch fetch_from(int fd, int& error);

}  // namespace bentohost::plugin
