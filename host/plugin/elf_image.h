// ElfImage: a 64-bit little-endian ELF file, read the way the dynamic loader reads it: program
// headers, the dynamic section, its symbol and hash tables. Section headers are not consulted, so a
// stripped library is as good as any. Every read is checked against the file. Only what is looked
// at is fetched, for plugins may have gigabytes; does not own what they are fetched from.
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
  // Puts the bytes at `offset`, all of them inside of the file, to `to`; false when that fails.
  using Fetch = std::function<bool(std::uint64_t offset, char* to, std::size_t bytes)>;
  ElfImage(std::uint64_t size, Fetch fetch) : size_(size), fetch_(std::move(fetch)) {}

  std::uint64_t size() const { return size_; }
  bool contains(std::uint64_t offset, std::uint64_t bytes) const {
    return offset <= size_ && bytes <= size_ - offset;
  }
  bool read(std::uint64_t offset, char* to, std::size_t bytes) const {
    return contains(offset, bytes) && fetch_(offset, to, bytes);
  }
  // The T at `offset`, wherever it is aligned; nothing when it is not all inside of the file.
  template <typename T>
  std::optional<T> read(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read(offset, reinterpret_cast<char*>(&value), sizeof value)) return std::nullopt;
    return value;
  }

  // Takes in the tables that the lookups below need. False when there is no dynamic section. The
  // program headers are all inside of the file.
  bool load_dynamic(const std::vector<Elf64_Phdr>& segments);
  bool is_executable() const { return (flags_ & DF_1_PIE) != 0; }
  // The dynamic symbol of this name, defined or not, as dlsym would find it.
  std::optional<Elf64_Sym> find_symbol(std::string_view name) const;
  bool is_nodelete() const { return (flags_ & DF_1_NODELETE) != 0; }
  // The values of the dynamic section's entries of this tag that name a string: DT_NEEDED,
  // DT_RUNPATH, ... A string longer than a path may be is left out.
  std::vector<std::string> strings_of(Elf64_Sxword tag) const;
  // Calls `each` for the dynamic symbols and their numbers, in their order, until it returns false.
  using EachSymbol = std::function<bool(std::uint64_t number, const Elf64_Sym&)>;
  void for_each_symbol(const EachSymbol& each) const;
  // The numbers of the dynamic symbols that the loader looks up by name for the library's own code.
  std::set<std::uint64_t> symbols_looked_up() const;
  // Where in the file the bytes are that are mapped at `address`, if nothing may write to them.
  std::optional<std::uint64_t> constant_at(std::uint64_t address, std::uint64_t bytes) const;
  std::string name_of(const Elf64_Sym& symbol) const;  // "" if it is none, or too long

 private:
  std::uint64_t value_of(Elf64_Sxword tag) const;     // of the dynamic section's entry; 0: none
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
  // File offsets, where the file has such a table.
  std::optional<std::uint64_t> symbols_, strings_, gnu_hash_, hash_;
};

}  // namespace bentohost::plugin
