// ElfImage: a 64-bit little-endian ELF file, read the way the dynamic loader reads it: program
// headers, the dynamic section, its symbol and hash tables. Does not use section headers, so
// stripped libraries work too. Every read is checked against the file's size. Fetches only the
// parts that it reads, since plugins may have gigabytes. Does not own the file.
#pragma once

#include <elf.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bentohost::plugin {

class ElfImage {
 public:
  // Reads `bytes` bytes at `offset`, all inside the file, to `to`; false on failure.
  using Fetch = std::function<bool(std::uint64_t offset, char* to, std::size_t bytes)>;
  ElfImage(std::uint64_t size, Fetch fetch) : size_(size), fetch_(std::move(fetch)) {}

  std::uint64_t size() const { return size_; }
  bool contains(std::uint64_t offset, std::uint64_t bytes) const {
    return offset <= size_ && bytes <= size_ - offset;
  }
  bool read(std::uint64_t offset, char* to, std::size_t bytes) const {
    return contains(offset, bytes) && fetch_(offset, to, bytes);
  }
  // The T at `offset`, with any alignment; nothing if it is not wholly inside the file.
  template <typename T>
  std::optional<T> read(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read(offset, reinterpret_cast<char*>(&value), sizeof value)) return std::nullopt;
    return value;
  }

  // Reads the tables that the lookups below need. False if there is no dynamic section. All
  // `segments` must be inside the file.
  bool load_dynamic(const std::vector<Elf64_Phdr>& segments);
  bool is_executable() const { return (flags_ & DF_1_PIE) != 0; }
  // The dynamic symbol of this name, defined or not, as dlsym would find it.
  std::optional<Elf64_Sym> find_symbol(std::string_view name) const;
  bool is_nodelete() const { return (flags_ & DF_1_NODELETE) != 0; }
  // The strings of the dynamic section's entries with this tag: DT_NEEDED, DT_RUNPATH, ... Leaves
  // out strings longer than a path may be.
  std::vector<std::string> strings_of(Elf64_Sxword tag) const;
  // Calls `each` with each dynamic symbol and its number, in order, until it returns false.
  using EachSymbol = std::function<bool(std::uint64_t number, const Elf64_Sym&)>;
  void for_each_symbol(const EachSymbol& each) const;
  // The numbers of the dynamic symbols that the loader looks up by name for the library's own code.
  std::set<std::uint64_t> symbols_looked_up() const;
  // The file offset of the bytes that are mapped at `address`, if nothing may write to them.
  std::optional<std::uint64_t> constant_at(std::uint64_t address, std::uint64_t bytes) const;
  std::string name_of(const Elf64_Sym& symbol) const;  // "" if it has none or is too long

 private:
  std::uint64_t value_of(Elf64_Sxword tag) const;     // the value of the entry; 0: none
  std::string string_at(std::uint64_t offset) const;  // of strings_
  std::uint64_t symbol_count() const;
  void read_dynamic(const Elf64_Phdr& segment);
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  std::optional<Elf64_Sym> symbol_named(std::uint64_t index, std::string_view name) const;
  std::optional<Elf64_Sym> find_by_gnu_hash(std::uint64_t table, std::string_view name) const;
  std::optional<Elf64_Sym> find_by_scan(std::uint64_t hash_table, std::string_view name) const;

  const std::uint64_t size_;
  const Fetch fetch_;
  std::vector<Elf64_Phdr> loaded_;  // PT_LOAD
  std::vector<Elf64_Dyn> dynamic_;
  std::uint64_t flags_ = 0;
  // File offsets of the tables that the file has.
  std::optional<std::uint64_t> symbols_, strings_, gnu_hash_, hash_;
};

}  // namespace bentohost::plugin
