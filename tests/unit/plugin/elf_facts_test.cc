// Facts read from really built libraries, each with one such fact. A corrupt file, however it is
// corrupt, has none and does no harm.
#include "plugin/elf_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace bentohost::plugin {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

std::string library(const std::string& name) { return TEST_PLUGINS_DIR "/lib" + name + ".so"; }

ElfFacts facts_of_content(std::string_view content) {
  const UniqueFd fd(::memfd_create("library", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  return elf_facts("/proc/self/fd/" + std::to_string(fd.get()));
}

void expect_empty(const ElfFacts& facts) {
  EXPECT_EQ(facts.build_id + facts.runpath + facts.rpath, "");
  EXPECT_THAT(facts.needed, IsEmpty());
  EXPECT_TRUE(facts.unique_symbols.empty());
  EXPECT_FALSE(facts.is_nodelete || facts.has_thread_exits);
}

TEST(ElfFacts, TellTheBuildId) {
  const std::string good = elf_facts(library("good")).build_id;
  EXPECT_THAT(good, MatchesRegex("[0-9a-f]{16,}"));
  EXPECT_EQ(good.size() % 2, 0u);
  EXPECT_NE(elf_facts(library("better")).build_id, good);
}

TEST(ElfFacts, TellWhatItNeedsAndWhereThatIs) {
  const ElfFacts facts = elf_facts(TEST_PLUGINS_DIR "/helper/libneeds_helper.so");
  EXPECT_THAT(facts.needed, Contains("libhelper.so"));
  EXPECT_EQ(facts.runpath, "$ORIGIN");
  EXPECT_EQ(facts.rpath, "");
  EXPECT_THAT(elf_facts(TEST_PLUGINS_DIR "/brought/libbrings_rpath.so").rpath,
              HasSubstr("/../lib"));
  EXPECT_THAT(elf_facts(library("good")).needed, Not(Contains("libhelper.so")));
  EXPECT_EQ(elf_facts(library("good")).runpath, "");
}

TEST(ElfFacts, TellThatItIsNeverToBeUnmapped) {
  EXPECT_TRUE(elf_facts(library("nodelete")).is_nodelete);
  EXPECT_FALSE(elf_facts(library("good")).is_nodelete);
}

TEST(ElfFacts, NameAUniqueSymbol) {
  EXPECT_TRUE(elf_facts(library("create_throws")).unique_symbols.empty())
      << "built by bento_add_plugin";
  EXPECT_TRUE(elf_facts(library("two_symbols")).unique_symbols.empty());
#ifdef __clang__
  GTEST_SKIP() << "this compiler makes none";
#endif
  const auto unique = elf_facts(library("unique_statics")).unique_symbols;
  ASSERT_EQ(unique.size(), 1u);
  EXPECT_THAT(unique.front().name, HasSubstr("Counter"));
  EXPECT_EQ(unique.front().size, sizeof(int));
  EXPECT_FALSE(unique.front().is_constant);
}

TEST(ElfFacts, TellConstantsFromVariables) {
#ifdef __clang__
  GTEST_SKIP() << "this compiler makes none";
#endif
  const auto unique = elf_facts(library("unique_constants")).unique_symbols;
  ASSERT_EQ(unique.size(), 1u) << "as unique_statics";
  EXPECT_TRUE(unique.front().is_constant);
  EXPECT_NE(unique.front().content, 0u);
}

TEST(ElfFacts, OfAPluginThatIsBuiltByHandHaveNoVariablesOfTheSdk) {
  for (const UniqueSymbol& symbol : elf_facts(library("plain")).unique_symbols) {
    EXPECT_TRUE(symbol.is_constant) << symbol.name;
  }
}

TEST(ElfFacts, TellThatThreadsHaveSomethingOfItToDestroy) {
  EXPECT_TRUE(elf_facts(library("thread_local_destructor")).has_thread_exits);
  EXPECT_FALSE(elf_facts(library("good")).has_thread_exits);
}

TEST(ElfFacts, AreNoneOfWhatIsNoLibrary) {
  expect_empty(elf_facts("/nowhere/libx.so"));
  expect_empty(elf_facts(TEST_PLUGINS_DIR));
  expect_empty(facts_of_content(""));
  expect_empty(facts_of_content("hello\n"));
}

class SpoiltFile : public testing::TestWithParam<const char*> {
 protected:
  SpoiltFile() {
    std::ifstream file(library(GetParam()));
    whole_.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string whole_;
};

TEST_P(SpoiltFile, MayEndAnywhere) {
  for (std::size_t size = 0; size < whole_.size(); size += 61) {
    (void)facts_of_content(std::string_view(whole_).substr(0, size));
  }
}

TEST_P(SpoiltFile, MayHaveAnyNumberAnywhere) {
  std::mt19937 random(20240517);
  const std::uint64_t values[] = {0, 1, ~0u, ~0ull, 0x7fffffff, 1ull << 63, 4096};
  for (int round = 0; round < 500; ++round) {
    std::string spoilt = whole_;
    for (int i = 0; i < 4; ++i) {
      // The parts that are read are at the beginning and at the end; code is between.
      const std::size_t at = random() % (round % 2 == 0 ? 1024 : spoilt.size() - 8);
      std::memcpy(spoilt.data() + at / 4 * 4, &values[random() % std::size(values)],
                  random() % 2 == 0 ? 4 : 8);
    }
    (void)facts_of_content(spoilt);
  }
}

INSTANTIATE_TEST_SUITE_P(ElfFacts, SpoiltFile, testing::Values("good", "unique_statics"));

}  // namespace
}  // namespace bentohost::plugin
