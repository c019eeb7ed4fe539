// Builds the smallest ELF shared library that exports one symbol. Tests may corrupt every
// field.
#pragma once

#include <elf.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace bentohost::plugin {

enum class HashTable { kGnu, kSysv, kNone };

struct ElfBuilder {
  Elf64_Half machine = EM_X86_64;
  Elf64_Half type = ET_DYN;
  std::string_view symbol = "bento_entry";
  unsigned char symbol_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
  unsigned char visibility = STV_DEFAULT;
  Elf64_Half symbol_section = 1;  // any but SHN_UNDEF
  HashTable hash_table = HashTable::kGnu;
  std::uint64_t flags = 0;  // DT_FLAGS_1
  bool with_dynamic = true;
  bool with_sections = true;
  std::size_t padding = 1000;  // bytes of "code" that the last segment holds

  // Header, program headers, symbols, strings, hash table, dynamic section, padding, section table.
  std::string build() const;
};

// Where build() puts the program headers.
constexpr std::size_t kSegmentsAt = sizeof(Elf64_Ehdr);

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline std::uint32_t gnu_hash_of(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

inline std::string ElfBuilder::build() const {
  constexpr std::uint64_t kSegments = 3;
  std::string body;  // the parts after the program headers
  const auto here = [&] { return kSegmentsAt + kSegments * sizeof(Elf64_Phdr) + body.size(); };

  const std::uint64_t symbols_at = here();
  append(body, Elf64_Sym{});
  append(body, Elf64_Sym{1, symbol_info, visibility, symbol_section, 64, 24});
  const std::uint64_t strings_at = here();
  body.append(1, '\0').append(symbol).append(1, '\0');
  body.resize((body.size() + 7) / 8 * 8);

  const std::uint64_t hash_at = here();
  if (hash_table == HashTable::kGnu) {  // 1 bucket, 1 bloom word that lets all pass, 1 chain of 1
    for (const std::uint32_t word : {1U, 1U, 1U, 0U, ~0U, ~0U, 1U}) append(body, word);
    append(body, gnu_hash_of(symbol) | 1);
  } else if (hash_table == HashTable::kSysv) {  // 1 bucket, 2 symbols, bucket, chains
    for (const std::uint32_t word : {1U, 2U, 1U, 0U, 0U}) append(body, word);
  }
  body.resize((body.size() + 7) / 8 * 8);

  const std::uint64_t dynamic_at = here();
  const auto entry = [&](Elf64_Sxword tag, Elf64_Xword value) {
    append(body, tag);
    append(body, value);
  };
  entry(DT_SYMTAB, symbols_at);
  entry(DT_STRTAB, strings_at);
  if (hash_table == HashTable::kGnu) entry(DT_GNU_HASH, hash_at);
  if (hash_table == HashTable::kSysv) entry(DT_HASH, hash_at);
  entry(DT_FLAGS_1, flags);
  entry(DT_NULL, 0);
  const std::uint64_t dynamic_end = here();
  body.append(padding, '\x90');
  const std::uint64_t end = here();

  Elf64_Ehdr header{};
  std::string_view ident(ELFMAG);
  ident.copy(reinterpret_cast<char*>(header.e_ident), SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = type;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_phoff = kSegmentsAt;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = kSegments;
  header.e_shentsize = sizeof(Elf64_Shdr);
  if (with_sections) {
    header.e_shoff = end;
    header.e_shnum = 2;
  }

  const Elf64_Word dynamic_type = with_dynamic ? PT_DYNAMIC : PT_NOTE;
  std::string file;
  append(file, header);
  append(file, Elf64_Phdr{PT_LOAD, PF_R, 0, 0, 0, dynamic_at, dynamic_at, 4096});
  append(file, Elf64_Phdr{dynamic_type, PF_R | PF_W, dynamic_at, dynamic_at, dynamic_at,
                          dynamic_end - dynamic_at, dynamic_end - dynamic_at, 8});
  append(file, Elf64_Phdr{PT_LOAD, PF_R | PF_W, dynamic_at, dynamic_at, dynamic_at,
                          end - dynamic_at, end - dynamic_at, 4096});
  file += body;
  if (with_sections) file.append(2 * sizeof(Elf64_Shdr), '\0');
  return file;
}

}  // namespace bentohost::plugin
