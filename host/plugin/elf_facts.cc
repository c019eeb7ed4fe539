#include "plugin/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

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

// FNV-1a.
std::uint64_t hash_of(const ElfImage& image, std::uint64_t at, std::uint64_t bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  std::array<char, 4096> piece;
  while (bytes > 0) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, piece.size()));
    if (!image.read(at, piece.data(), count)) break;
    for (std::size_t i = 0; i < count; ++i) {
      hash = (hash ^ static_cast<unsigned char>(piece[i])) * 0x100000001b3;
    }
    at += count;
    bytes -= count;
  }
  return hash;
}

UniqueSymbol unique_symbol(const ElfImage& image, const Elf64_Sym& symbol) {
  UniqueSymbol unique{image.name_of(symbol), symbol.st_size};
  if (const auto at = image.constant_at(symbol.st_value, symbol.st_size)) {
    unique.is_constant = true;
    unique.content = hash_of(image, *at, symbol.st_size);
  }
  return unique;
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
  facts.needed = image.strings_of(DT_NEEDED);
  const auto first_of = [&](Elf64_Sxword tag) {
    std::vector<std::string> paths = image.strings_of(tag);
    return paths.empty() ? std::string() : std::move(paths.front());
  };
  facts.runpath = first_of(DT_RUNPATH);
  facts.rpath = first_of(DT_RPATH);
  const std::set<std::uint64_t> looked_up = image.symbols_looked_up();
  image.for_each_symbol([&](std::uint64_t number, const Elf64_Sym& symbol) {
    if (symbol.st_shndx != SHN_UNDEF) {
      // A symbol that is bound within the library (-Bsymbolic) is not shared.
      if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE && looked_up.contains(number)) {
        facts.unique_symbols.push_back(unique_symbol(image, symbol));
      }
    } else if (!facts.has_thread_exits) {
      facts.has_thread_exits = image.name_of(symbol).starts_with("__cxa_thread_atexit");
    }
    return true;
  });
  return facts;
}

}  // namespace bentohost::plugin
