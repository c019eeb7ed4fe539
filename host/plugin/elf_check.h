// What a library's bytes must look like before anybody dlopens them: dlopen of a truncated file is
// a SIGBUS, not an error. Pure: bytes in, verdict out; no sanity of the code inside is claimed.
#pragma once

#include <span>
#include <string>

#include "base/status.h"

namespace bentohost::plugin {

// INVALID_ARGUMENT, saying what is wrong in words a user can act on: not an ELF file (and what it
// looks like instead: empty, a text file, a static archive), 32-bit or big-endian, built for
// another machine ("built for AArch64, this is x86-64"), not a shared library, a segment or the
// section table outside the file ("truncated: segment 3 ends at byte 81920, the file at 40960"), no
// exported `bento_entry` ("exports no bento_entry: not a bentohost plugin; ...").
Status check_elf(std::span<const char> file);

// The same of a file, of which it reads only what it must; NOT_FOUND or PERMISSION_DENIED with the
// reason of the system.
Status check_elf_file(const std::string& path);

}  // namespace bentohost::plugin
