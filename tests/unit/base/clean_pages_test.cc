#include "base/clean_pages.h"

#include <gtest/gtest.h>
#include <unistd.h>

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

TEST(CleanPages, OfALibraryThatIsNotThereAreNone) {
  const std::string name = "/nowhere/libx.so";
  drop_clean_pages(&name);
}

}  // namespace
}  // namespace bentohost
