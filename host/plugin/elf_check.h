// Checks a library's bytes before it is loaded: dlopen of a truncated file is a SIGBUS, not an
// error. Pure: bytes in, verdict out. Says nothing about the code inside.
#pragma once

#include <span>
#include <string>

#include "base/status.h"

namespace bentohost::plugin {

// INVALID_ARGUMENT, with a message that a user can act on: not an ELF file (and what it looks like
// instead: empty, a text file, a static archive), 32-bit or big-endian, built for another machine
// ("built for AArch64, this is x86-64"), not a shared library, a segment or the section table
// outside the file ("truncated: segment 3 ends at byte 81920, the file at 40960"), no exported
// `bento_entry` ("exports no bento_entry: not a bentohost plugin; ...").
Status check_elf(std::span<const char> file);

// The same for a file; reads only the parts it needs. Also NOT_FOUND or PERMISSION_DENIED, with the
// system's reason.
Status check_elf_file(const std::string& path);

}  // namespace bentohost::plugin
