#include "plugin/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/unique_fd.h"
#include "plugin/elf_fetch.h"

namespace bentohost::plugin {
namespace {

constexpr std::uint64_t kMaxNotes = 1u << 16;
constexpr std::size_t kMaxSegments = 1u << 10;

std::vector<Elf64_Phdr> segments_of(const ElfImage& image) {
  std::vector<Elf64_Phdr> segments;
  const auto header = image.read<Elf64_Ehdr>(0);
  if (!header || header->e_phentsize != sizeof(Elf64_Phdr)) return segments;
  for (std::size_t i = 0; i < std::min<std::size_t>(header->e_phnum, kMaxSegments); ++i) {
    const auto segment = image.read<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
    if (segment) segments.push_back(*segment);
  }
  return segments;
}

std::uint64_t padded(std::uint64_t bytes) { return (bytes + 3) / 4 * 4; }

// The note of type NT_GNU_BUILD_ID: its lengths and its type, "GNU\0", the bytes.
std::string build_id_of(const ElfImage& image, const Elf64_Phdr& notes) {
  const std::uint64_t end = notes.p_offset + std::min<std::uint64_t>(notes.p_filesz, kMaxNotes);
  for (std::uint64_t at = notes.p_offset; at + sizeof(Elf64_Nhdr) <= end;) {
    const auto note = image.read<Elf64_Nhdr>(at);
    if (!note) break;
    const std::uint64_t name = at + sizeof(Elf64_Nhdr);
    const std::uint64_t bytes = name + padded(note->n_namesz);
    const auto owner = image.read<std::uint32_t>(name);
    std::uint32_t gnu = 0;
    std::memcpy(&gnu, "GNU", 4);
    if (note->n_type == NT_GNU_BUILD_ID && owner == gnu && note->n_descsz <= 64) {
      std::string hex;
      for (std::uint64_t i = 0; i < note->n_descsz; ++i) {
        const auto byte = image.read<unsigned char>(bytes + i);
        if (!byte) return {};
        hex += "0123456789abcdef"[*byte >> 4];
        hex += "0123456789abcdef"[*byte & 15];
      }
      return hex;
    }
    at = bytes + padded(note->n_descsz);
  }
  return {};
}

}  // namespace

ElfFacts elf_facts(const std::string& path) {
  ElfFacts facts;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return facts;
  int error = 0;
  ElfImage image(static_cast<std::uint64_t>(info.st_size), fetch_from(fd.get(), error));
  const std::vector<Elf64_Phdr> segments = segments_of(image);
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE && facts.build_id.empty()) {
      facts.build_id = build_id_of(image, segment);
    }
  }
  if (!image.load_dynamic(segments)) return facts;
  facts.is_nodelete = image.is_nodelete();
  facts.has_text_relocations = image.has_text_relocations();
  facts.needed = image.strings_of(DT_NEEDED);
  for (const Elf64_Sxword tag : {DT_RUNPATH, DT_RPATH}) {
    const std::vector<std::string> paths = image.strings_of(tag);
    if (facts.runpath.empty() && !paths.empty()) facts.runpath = paths.front();
  }
  image.for_each_symbol([&](const Elf64_Sym& symbol) {
    const bool is_defined = symbol.st_shndx != SHN_UNDEF;
    if (is_defined && ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE &&
        facts.unique_symbol.empty()) {
      facts.unique_symbol = image.name_of(symbol);
    }
    if (!is_defined && !facts.has_thread_exits) {
      facts.has_thread_exits = image.name_of(symbol).starts_with("__cxa_thread_atexit");
    }
    return true;
  });
  return facts;
}

}  // namespace bentohost::plugin
