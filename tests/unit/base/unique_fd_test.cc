#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace bentohost {
namespace {

int open_one() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesWhatItOwns) {
  const int fd = open_one();
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(owner);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, OwnsNothingByDefault) {
  const UniqueFd none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), -1);
}

TEST(UniqueFd, MovesItsDescriptorAndClosesTheOneReplaced) {
  UniqueFd first(open_one());
  UniqueFd second(open_one());
  const int kept = first.get(), replaced = second.get();
  second = std::move(first);
  EXPECT_EQ(second.get(), kept);
  EXPECT_FALSE(is_open(replaced));
  UniqueFd third(std::move(second));
  EXPECT_EQ(third.get(), kept);
  EXPECT_TRUE(is_open(kept));
}

TEST(UniqueFd, ReleasesWithoutClosing) {
  UniqueFd owner(open_one());
  const UniqueFd other(owner.release());
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(other.get()));
}

}  // namespace
}  // namespace bentohost
