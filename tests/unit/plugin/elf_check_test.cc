#include "plugin/elf_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "unit/plugin/elf_builder.h"

namespace bentohost::plugin {
namespace {

using testing::StartsWith;

#if defined(__x86_64__)
constexpr Elf64_Half kHere = EM_X86_64, kElsewhere = EM_AARCH64;
constexpr char kWrongMachine[] = "built for AArch64, this is x86-64";
#else
constexpr Elf64_Half kHere = EM_AARCH64, kElsewhere = EM_X86_64;
constexpr char kWrongMachine[] = "built for x86-64, this is AArch64";
#endif

ElfBuilder plugin() {
  ElfBuilder builder;
  builder.machine = kHere;
  return builder;
}

std::string verdict(std::string_view file) {
  const Status status = check_elf(file);
  if (status.ok()) return "ok";
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
  return status.message();
}

// `file` with `value` written at `offset`.
template <typename T>
std::string with(std::string file, std::size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
  return file;
}

TEST(ElfCheck, AcceptsAPluginWithAnyKindOfHashTable) {
  ElfBuilder builder = plugin();
  EXPECT_EQ(verdict(builder.build()), "ok");
  builder.hash_table = HashTable::kSysv;
  EXPECT_EQ(verdict(builder.build()), "ok");
}

TEST(ElfCheck, AcceptsAPluginWithoutSections) {
  ElfBuilder builder = plugin();
  builder.with_sections = false;
  EXPECT_EQ(verdict(builder.build()), "ok");
}

TEST(ElfCheck, AcceptsAWeakEntry) {
  ElfBuilder builder = plugin();
  builder.symbol_info = ELF64_ST_INFO(STB_WEAK, STT_OBJECT);
  EXPECT_EQ(verdict(builder.build()), "ok");
}

TEST(ElfCheck, SaysWhatAFileIsThatIsNotElf) {
  EXPECT_EQ(verdict(""), "not a shared library but an empty file");
  EXPECT_EQ(verdict("int main() {\n\treturn 0;\n}\n"), "not a shared library but a text file");
  EXPECT_EQ(verdict("OUTPUT_FORMAT(elf64-x86-64) /* für ld */"),
            "not a shared library but a text file");
  EXPECT_EQ(verdict("!<arch>\nplugin.o/"), "not a shared library but a static archive");
  EXPECT_EQ(verdict("!<thin>\n"), "not a shared library but a static archive");
  EXPECT_EQ(verdict("MZ\x90"), "not a shared library but a PE file, for Windows");
  EXPECT_EQ(verdict("\xcf\xfa\xed\xfe"), "not a shared library but a Mach-O file, for macOS");
  EXPECT_EQ(verdict("\xca\xfe\xba\xbe"), "not a shared library but a Mach-O file, for macOS");
  EXPECT_EQ(verdict(std::string(64, '\0')), "not a shared library but something else");
}

TEST(ElfCheck, RefusesAnotherMachine) {
  const std::string file = plugin().build();
  EXPECT_EQ(verdict(with(file, EI_CLASS, char{ELFCLASS32})),
            "built for a 32-bit machine, this is a 64-bit one");
  EXPECT_EQ(verdict(with(file, EI_DATA, char{ELFDATA2MSB})),
            "built for a big-endian machine, this is a little-endian one");
  ElfBuilder builder = plugin();
  builder.machine = kElsewhere;
  EXPECT_EQ(verdict(builder.build()), kWrongMachine);
  builder.machine = 4711;
  EXPECT_THAT(verdict(builder.build()), StartsWith("built for ELF machine 4711, this is "));
}

TEST(ElfCheck, RefusesWhatIsNotASharedLibrary) {
  ElfBuilder builder = plugin();
  builder.type = ET_EXEC;
  EXPECT_EQ(verdict(builder.build()), "not a shared library but an executable");
  builder.type = ET_REL;
  EXPECT_EQ(verdict(builder.build()), "not a shared library but an object file");
  builder.type = ET_CORE;
  EXPECT_EQ(verdict(builder.build()), "not a shared library but a core dump");
  builder.type = ET_DYN;
  builder.flags = DF_1_PIE | DF_1_NOW;
  EXPECT_EQ(verdict(builder.build()), "not a shared library but an executable");
  builder.flags = 0;
  builder.with_dynamic = false;
  EXPECT_EQ(verdict(builder.build()), "not a shared library but a statically linked program");
}

TEST(ElfCheck, RefusesAnEntryThatDlsymWouldNotFind) {
  const char* const kNoEntry = "exports no bento_entry: not a bentohost plugin";
  ElfBuilder builder = plugin();
  builder.symbol = "bento_entry2";
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
  builder.symbol = "bento_entr";
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
  builder = plugin();
  builder.symbol_section = SHN_UNDEF;
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
  builder = plugin();
  builder.visibility = STV_HIDDEN;
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
  builder = plugin();
  builder.symbol_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT);
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
  builder = plugin();
  builder.hash_table = HashTable::kNone;
  EXPECT_THAT(verdict(builder.build()), StartsWith(kNoEntry));
}

TEST(ElfCheck, RefusesAnEntryThatIsAFunction) {
  ElfBuilder builder = plugin();
  builder.symbol_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  EXPECT_THAT(verdict(builder.build()), StartsWith("exports a bento_entry that is not an object"));
}

TEST(ElfCheck, NamesTheSegmentThatIsCut) {
  ElfBuilder builder = plugin();
  builder.with_sections = false;
  const std::string file = builder.build();
  const std::string size = std::to_string(file.size()), less = std::to_string(file.size() - 1);
  EXPECT_EQ(verdict(file.substr(0, file.size() - 1)),
            "truncated: segment 2 ends at byte " + size + ", the file at " + less);
  EXPECT_EQ(verdict(file.substr(0, 40)),
            "truncated: the ELF header ends at byte 64, the file at 40");
  EXPECT_EQ(verdict(file.substr(0, 100)),
            "truncated: the program header table ends at byte 232, the file at 100");
}

TEST(ElfCheck, NamesTheSectionTableThatIsCut) {
  const std::string file = plugin().build();
  EXPECT_THAT(verdict(file.substr(0, file.size() - 1)),
              StartsWith("truncated: the section table ends"));
}

TEST(ElfCheck, RefusesEveryTruncation) {
  const std::string file = plugin().build();
  for (std::size_t bytes = 0; bytes < file.size(); ++bytes) {
    // A separate copy, so that AddressSanitizer sees a read beyond its end.
    const std::vector<char> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_FALSE(check_elf(cut).ok()) << bytes;
  }
}

TEST(ElfCheck, RefusesOffsetsThatOverflow) {
  const std::string file = plugin().build();
  const std::uint64_t huge = ~std::uint64_t{0} - 8;
  const std::size_t segment = kSegmentsAt;
  EXPECT_THAT(verdict(with(file, segment + offsetof(Elf64_Phdr, p_offset), huge)),
              StartsWith("truncated: segment 0 ends at byte 18446744073709551615,"));
  EXPECT_THAT(verdict(with(file, segment + offsetof(Elf64_Phdr, p_filesz), huge)),
              StartsWith("truncated: segment 0 ends at byte 18446744073709551607,"));
  EXPECT_THAT(verdict(with(file, offsetof(Elf64_Ehdr, e_phoff), huge)),
              StartsWith("truncated: the program header table"));
  EXPECT_THAT(verdict(with(file, offsetof(Elf64_Ehdr, e_shoff), huge)),
              StartsWith("truncated: the section table"));
  EXPECT_THAT(verdict(with(file, offsetof(Elf64_Ehdr, e_phentsize), Elf64_Half{1})),
              StartsWith("damaged"));
}

TEST(ElfCheck, SurvivesAnySingleByteThatIsWrong) {
  std::mt19937 random(20240229);
  int refused = 0;
  for (const HashTable table : {HashTable::kGnu, HashTable::kSysv}) {
    ElfBuilder builder = plugin();
    builder.hash_table = table;
    builder.padding = 0;
    const std::string file = builder.build();
    for (int i = 0; i < 20000; ++i) {
      std::vector<char> spoilt(file.begin(), file.end());
      spoilt[random() % spoilt.size()] = static_cast<char>(random());
      const Status status = check_elf(spoilt);
      if (status.ok()) continue;
      EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

class ElfCheckFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "elf_check_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(ElfCheckFile, AcceptsAPlugin) {
  const std::string path = folder_ / "plugin.so";
  std::ofstream(path, std::ios::binary) << plugin().build();
  const Status status = check_elf_file(path);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(ElfCheckFile, ReadsNoMoreOfAHugePluginThanItMust) {
  const std::string path = folder_ / "plugin.so";
  std::ofstream(path, std::ios::binary) << plugin().build();
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);
  const Status status = check_elf_file(path);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(ElfCheckFile, SaysThatThereIsNoFile) {
  for (const char* name : {"missing.so", "missing/plugin.so"}) {
    const Status status = check_elf_file(folder_ / name);
    EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
    EXPECT_EQ(status.message(), "No such file or directory");
  }
}

TEST_F(ElfCheckFile, SaysThatItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const std::string path = folder_ / "secret.so";
  std::ofstream(path) << "x";
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  const Status status = check_elf_file(path);
  EXPECT_EQ(status.code(), BENTO_PERMISSION_DENIED);
  EXPECT_EQ(status.message(), "Permission denied");
}

TEST_F(ElfCheckFile, RefusesWhatIsNotAFileWithoutBlocking) {
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(check_elf_file(fifo).message(), "not a shared library but a device, pipe or socket");
  EXPECT_EQ(check_elf_file(folder_).message(), "not a shared library but a directory");
}

TEST_F(ElfCheckFile, RefusesThisVeryProgram) {
  EXPECT_EQ(check_elf_file("/proc/self/exe").message(), "not a shared library but an executable");
}

// A real library, as linkers and strip leave it.
TEST_F(ElfCheckFile, FindsNoEntryInTheCLibrary) {
  std::ifstream maps("/proc/self/maps");
  std::string line, libc;
  while (std::getline(maps, line)) {
    if (line.ends_with("/libc.so.6")) libc = line.substr(line.find('/'));
  }
  ASSERT_FALSE(libc.empty());
  EXPECT_THAT(check_elf_file(libc).message(), StartsWith("exports no bento_entry"));
}

}  // namespace
}  // namespace bentohost::plugin
