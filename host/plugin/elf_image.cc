#include "plugin/elf_image.h"

#include <algorithm>
#include <array>
#include <string>

namespace bentohost::plugin {
namespace {

constexpr std::size_t kMaxString = 4096;

// The hash of DT_GNU_HASH: Bernstein's, times 33 plus the byte.
std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

}  // namespace

bool ElfImage::load_dynamic(const std::vector<Elf64_Phdr>& segments) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD) loaded_.push_back(segment);
  }
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    read_dynamic(segment);
    return true;
  }
  return false;
}

void ElfImage::read_dynamic(const Elf64_Phdr& segment) {
  for (std::uint64_t at = 0; at < segment.p_filesz; at += sizeof(Elf64_Dyn)) {
    const auto entry = read<Elf64_Dyn>(segment.p_offset + at);
    if (!entry || entry->d_tag == DT_NULL) return;
    dynamic_.push_back(*entry);
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols_ = offset_of(entry->d_un.d_ptr);
        break;
      case DT_STRTAB:
        strings_ = offset_of(entry->d_un.d_ptr);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = offset_of(entry->d_un.d_ptr);
        break;
      case DT_HASH:
        hash_ = offset_of(entry->d_un.d_ptr);
        break;
      case DT_FLAGS_1:
        flags_ = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
}

std::optional<std::uint64_t> ElfImage::offset_of(std::uint64_t address) const {
  for (const Elf64_Phdr& segment : loaded_) {
    if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
      return segment.p_offset + (address - segment.p_vaddr);
    }
  }
  return std::nullopt;
}

std::optional<Elf64_Sym> ElfImage::find_symbol(std::string_view name) const {
  if (!symbols_ || !strings_) return std::nullopt;
  if (gnu_hash_) return find_by_gnu_hash(*gnu_hash_, name);
  if (hash_) return find_by_scan(*hash_, name);
  return std::nullopt;
}

std::optional<Elf64_Sym> ElfImage::symbol_named(std::uint64_t index, std::string_view name) const {
  const auto symbol = read<Elf64_Sym>(*symbols_ + index * sizeof(Elf64_Sym));
  if (!symbol) return std::nullopt;
  std::string found(name.size() + 1, '?');
  if (!read(*strings_ + symbol->st_name, found.data(), found.size())) return std::nullopt;
  if (!found.starts_with(name) || found.back() != '\0') return std::nullopt;
  return symbol;
}

// Layout: bucket count, first hashed symbol, bloom words, bloom shift (32 bits each); the bloom
// filter of 64-bit words; buckets; then one hash per symbol, its lowest bit set at the end of a
// chain.
std::optional<Elf64_Sym> ElfImage::find_by_gnu_hash(std::uint64_t table,
                                                    std::string_view name) const {
  struct Header {
    std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };
  const auto header = read<Header>(table);
  if (!header || header->buckets == 0) return std::nullopt;
  const std::uint32_t hash = gnu_hash(name);
  const std::uint64_t buckets = table + sizeof(Header) + std::uint64_t{8} * header->bloom_words;
  const std::uint64_t chains = buckets + std::uint64_t{4} * header->buckets;
  const auto start = read<std::uint32_t>(buckets + std::uint64_t{4} * (hash % header->buckets));
  if (!start || *start < header->first_symbol) return std::nullopt;
  for (std::uint64_t index = *start;; ++index) {  // ends at the end of the file, if not before
    const auto link = read<std::uint32_t>(chains + 4 * (index - header->first_symbol));
    if (!link) return std::nullopt;
    if ((*link | 1) == (hash | 1)) {
      if (const auto symbol = symbol_named(index, name)) return symbol;
    }
    if ((*link & 1) != 0) return std::nullopt;
  }
}

// DT_HASH begins with the bucket count and the symbol count.
std::optional<Elf64_Sym> ElfImage::find_by_scan(std::uint64_t hash_table,
                                                std::string_view name) const {
  const auto count = read<std::uint32_t>(hash_table + sizeof(std::uint32_t));
  for (std::uint64_t index = 1; count && index < *count; ++index) {
    if (!contains(*symbols_ + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym))) break;
    if (const auto symbol = symbol_named(index, name)) return symbol;
  }
  return std::nullopt;
}

std::uint64_t ElfImage::value_of(Elf64_Sxword tag) const {
  for (const Elf64_Dyn& entry : dynamic_) {
    if (entry.d_tag == tag) return entry.d_un.d_val;
  }
  return 0;
}

// Relocations that name no symbol have the number 0.
std::set<std::uint64_t> ElfImage::symbols_looked_up() const {
  std::set<std::uint64_t> numbers;
  std::array<Elf64_Rela, 512> some;
  for (const auto& [table, bytes] : {std::pair(DT_RELA, DT_RELASZ), {DT_JMPREL, DT_PLTRELSZ}}) {
    const auto at = offset_of(value_of(table));
    if (!at || !contains(*at, value_of(bytes))) continue;
    const std::uint64_t all = value_of(bytes) / sizeof some[0];
    for (std::uint64_t done = 0; done < all;) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(all - done, some.size()));
      char* const to = reinterpret_cast<char*>(some.data());
      if (!read(*at + done * sizeof some[0], to, count * sizeof some[0])) return numbers;
      for (std::size_t i = 0; i < count; ++i) {
        if (const auto number = ELF64_R_SYM(some[i].r_info); number != 0) numbers.insert(number);
      }
      done += count;
    }
  }
  return numbers;
}

std::optional<std::uint64_t> ElfImage::constant_at(std::uint64_t address,
                                                   std::uint64_t bytes) const {
  for (const Elf64_Phdr& segment : loaded_) {
    const std::uint64_t into = address - segment.p_vaddr;
    if (address < segment.p_vaddr || into > segment.p_filesz) continue;
    if (bytes > segment.p_filesz - into || (segment.p_flags & PF_W) != 0) continue;
    return segment.p_offset + into;
  }
  return std::nullopt;
}

std::string ElfImage::string_at(std::uint64_t offset) const {
  std::string text;
  if (!strings_) return text;
  std::array<char, 64> piece;
  for (std::uint64_t at = *strings_ + offset; text.size() < kMaxString; at += piece.size()) {
    const std::uint64_t left = at < size_ ? size_ - at : 0;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left));
    if (bytes == 0 || !read(at, piece.data(), bytes)) break;
    const auto begin = piece.begin();
    const auto end = std::find(begin, begin + static_cast<std::ptrdiff_t>(bytes), '\0');
    text.append(begin, end);
    if (end != begin + static_cast<std::ptrdiff_t>(bytes)) return text;
  }
  return {};
}

std::vector<std::string> ElfImage::strings_of(Elf64_Sxword tag) const {
  std::vector<std::string> all;
  for (const Elf64_Dyn& entry : dynamic_) {
    if (entry.d_tag != tag) continue;
    std::string text = string_at(entry.d_un.d_val);
    if (!text.empty()) all.push_back(std::move(text));
  }
  return all;
}

// DT_GNU_HASH has no symbol count, but the last chain ends with the last symbol.
std::uint64_t ElfImage::symbol_count() const {
  if (hash_) return read<std::uint32_t>(*hash_ + sizeof(std::uint32_t)).value_or(0);
  if (!gnu_hash_) return 0;
  const auto buckets = read<std::uint32_t>(*gnu_hash_);
  const auto first = read<std::uint32_t>(*gnu_hash_ + 4);
  const auto bloom_words = read<std::uint32_t>(*gnu_hash_ + 8);
  if (!buckets || !first || !bloom_words) return 0;
  const std::uint64_t table = *gnu_hash_ + 16 + std::uint64_t{8} * *bloom_words;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < *buckets; ++i) {
    const auto start = read<std::uint32_t>(table + 4 * i);
    if (!start) return 0;
    last = std::max<std::uint64_t>(last, *start);
  }
  if (last < *first) return *first;
  const std::uint64_t chains = table + std::uint64_t{4} * *buckets;
  for (;; ++last) {  // ends at the end of the file, if not before
    const auto link = read<std::uint32_t>(chains + 4 * (last - *first));
    if (!link || (*link & 1) != 0) return last + 1;
  }
}

void ElfImage::for_each_symbol(const EachSymbol& each) const {
  if (!symbols_ || !strings_) return;
  const std::uint64_t count = symbol_count();
  for (std::uint64_t i = 1; i < count; ++i) {
    const auto symbol = read<Elf64_Sym>(*symbols_ + i * sizeof(Elf64_Sym));
    if (!symbol || !each(i, *symbol)) return;
  }
}

std::string ElfImage::name_of(const Elf64_Sym& symbol) const { return string_at(symbol.st_name); }

}  // namespace bentohost::plugin
