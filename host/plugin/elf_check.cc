#include "plugin/elf_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "plugin/elf_fetch.h"
#include "plugin/elf_image.h"

namespace bentohost::plugin {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "bentohost runs on x86-64 and AArch64"
#endif

constexpr std::string_view kEntry = "bento_entry";
constexpr std::size_t kHeadBytes = 512;  // enough to tell text from other bytes

Status refuse(std::string message) { return {BENTO_INVALID_ARGUMENT, std::move(message)}; }

Status truncated(const std::string& what, std::uint64_t end, std::uint64_t size) {
  return refuse("truncated: " + what + " ends at byte " + std::to_string(end) + ", the file at " +
                std::to_string(size));
}

// offset + bytes, or the largest number if that overflows.
std::uint64_t end_of(std::uint64_t offset, std::uint64_t bytes) {
  return bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes;
}

bool is_text(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](unsigned char c) {
    return c >= 0x20 ? c != 0x7f : c == '\n' || c == '\r' || c == '\t' || c == '\f';
  });
}

// Guesses by its first bytes what a file is that is not ELF.
std::string_view guess(std::string_view head) {
  const auto begins = [&](std::string_view magic) { return head.starts_with(magic); };
  if (head.empty()) return "an empty file";
  if (begins("!<arch>\n") || begins("!<thin>\n")) return "a static archive";
  if (begins("\xcf\xfa\xed\xfe") || begins("\xce\xfa\xed\xfe") || begins("\xca\xfe\xba\xbe")) {
    return "a Mach-O file, for macOS";
  }
  if (begins("MZ")) return "a PE file, for Windows";
  return is_text(head) ? "a text file" : "something else";
}

std::string machine_name(Elf64_Half machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_PPC64:
      return "PowerPC64";
    case EM_S390:
      return "S/390";
    case EM_RISCV:
      return "RISC-V";
    default:
      return "ELF machine " + std::to_string(machine);
  }
}

std::string_view type_name(Elf64_Half type) {
  switch (type) {
    case ET_REL:
      return "an object file";
    case ET_EXEC:
      return "an executable";
    case ET_CORE:
      return "a core dump";
    default:
      return "an ELF file of unknown type";
  }
}

Status not_shared(std::string_view but) {
  return refuse("not a shared library but " + std::string(but));
}

// Checks the first bytes, which mean the same in every ELF file.
Status check_ident(std::string_view head) {
  if (!head.starts_with(ELFMAG)) return not_shared(guess(head));
  if (head.size() < sizeof(Elf64_Ehdr)) {
    return truncated("the ELF header", sizeof(Elf64_Ehdr), head.size());
  }
  if (head[EI_CLASS] != ELFCLASS64)
    return refuse("built for a 32-bit machine, this is a 64-bit one");
  if (head[EI_DATA] != ELFDATA2LSB) {
    return refuse("built for a big-endian machine, this is a little-endian one");
  }
  return {};
}

Status check_header(const Elf64_Ehdr& header) {
  if (header.e_version != EV_CURRENT) {
    return refuse("of ELF version " + std::to_string(header.e_version) + ", which is unknown");
  }
  if (header.e_machine != kMachine) {
    return refuse("built for " + machine_name(header.e_machine) + ", this is " +
                  machine_name(kMachine));
  }
  if (header.e_type != ET_DYN) return not_shared(type_name(header.e_type));
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return refuse("damaged: it has no program headers that a loader could read");
  }
  return {};
}

Status check_segments(const ElfImage& image, const Elf64_Ehdr& header,
                      std::vector<Elf64_Phdr>& segments) {
  const std::uint64_t bytes = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (!image.contains(header.e_phoff, bytes)) {
    return truncated("the program header table", end_of(header.e_phoff, bytes), image.size());
  }
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = image.read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return refuse("damaged: its program headers cannot be read");
    if (!image.contains(segment->p_offset, segment->p_filesz)) {
      return truncated("segment " + std::to_string(i), end_of(segment->p_offset, segment->p_filesz),
                       image.size());
    }
    segments.push_back(*segment);
  }
  return {};
}

// Loading needs no section table, but linkers write it last, so a file that is cut short or still
// being written lacks it first.
Status check_sections(const ElfImage& image, const Elf64_Ehdr& header) {
  const std::uint64_t bytes = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (image.contains(header.e_shoff, bytes)) return {};
  return truncated("the section table", end_of(header.e_shoff, bytes), image.size());
}

Status check_entry(const ElfImage& image) {
  const auto symbol = image.find_symbol(kEntry);
  const unsigned binding = symbol ? ELF64_ST_BIND(symbol->st_info) : STB_LOCAL;
  const unsigned visibility = symbol ? ELF64_ST_VISIBILITY(symbol->st_other) : STV_HIDDEN;
  if (!symbol || symbol->st_shndx == SHN_UNDEF || (binding != STB_GLOBAL && binding != STB_WEAK) ||
      visibility != STV_DEFAULT) {
    return refuse(
        "exports no bento_entry: not a bentohost plugin; its source defines one with "
        "BENTO_SERVICE, "
        "and bento_add_plugin() exports it");
  }
  if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) {
    return refuse("exports a bento_entry that is not an object: it must be a `bento_plugin_entry`");
  }
  return {};
}

Status system_error(int error) {
  const bento_code code = error == ENOENT || error == ENOTDIR ? BENTO_NOT_FOUND
                          : error == EACCES || error == EPERM ? BENTO_PERMISSION_DENIED
                                                              : BENTO_INVALID_ARGUMENT;
  return {code, std::generic_category().message(error)};
}

Status check_image(ElfImage& image) {
  std::string head(std::min<std::uint64_t>(image.size(), kHeadBytes), '\0');
  if (!image.read(0, head.data(), head.size())) return refuse("its first bytes cannot be read");
  if (Status status = check_ident(head); !status.ok()) return status;
  Elf64_Ehdr header;
  std::memcpy(&header, head.data(), sizeof header);
  if (Status status = check_header(header); !status.ok()) return status;
  std::vector<Elf64_Phdr> segments;
  if (Status status = check_segments(image, header, segments); !status.ok()) return status;
  if (Status status = check_sections(image, header); !status.ok()) return status;
  if (!image.load_dynamic(segments)) return not_shared("a statically linked program");
  if (image.is_executable()) return not_shared("an executable");
  return check_entry(image);
}

}  // namespace

Status check_elf(std::span<const char> file) {
  ElfImage image(file.size(), [file](std::uint64_t offset, char* to, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, file.data() + offset, bytes);
    return true;
  });
  return check_image(image);
}

Status check_elf_file(const std::string& path) {
  // A FIFO would block in open.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return system_error(errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return system_error(errno);
  if (S_ISDIR(info.st_mode)) return not_shared("a directory");
  if (!S_ISREG(info.st_mode)) return not_shared("a device, pipe or socket");
  int error = 0;
  ElfImage image(static_cast<std::uint64_t>(info.st_size), fetch_from(fd.get(), error));
  Status status = check_image(image);
  return error != 0 ? system_error(error) : status;
}

}  // namespace bentohost::plugin
