#include "base/process/clean_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace bentohost {
namespace {

long resident_pages() {
  std::ifstream statm("/proc/self/statm");
  long all = 0, resident = 0;
  statm >> all >> resident;
  return resident;
}

TEST(CleanPages, AreGivenBackAndComeAgainWhenTheyAreNeeded) {
  const long before = resident_pages();
  drop_clean_pages();
  EXPECT_LT(resident_pages(), before);
  EXPECT_EQ(std::stoi(std::to_string(4711)), 4711) << "code is where it was";
}

alignas(4096) constexpr char kConstants[3 * 4096] = "as in the file";

TEST(CleanPages, ThatWereWrittenToStayAsTheyAre) {
  // As text relocations do, and programs that patch functions.
  auto* const page = const_cast<char*>(&kConstants[4096]);
  ASSERT_EQ(::mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
  *const_cast<volatile char*>(page) = 'w';
  ASSERT_EQ(::mprotect(page, 4096, PROT_READ), 0);
  drop_clean_pages();
  EXPECT_EQ(*const_cast<volatile const char*>(page), 'w');
  EXPECT_EQ(*const_cast<volatile const char*>(&kConstants[0]), 'a');
}

TEST(CleanPages, OfALibraryThatIsNotThereAreNone) {
  const std::string name = "/nowhere/libx.so";
  drop_clean_pages(&name);
}

}  // namespace
}  // namespace bentohost
