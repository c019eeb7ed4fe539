#include "http/route/redirect.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(Redirect, AddsOrTakesAwayASlashRelatively) {
  EXPECT_EQ(location_with_slash("/a/b", ""), "./b/");
  EXPECT_EQ(location_with_slash("/a/b:c d", "x=%20&y"), "./b%3Ac%20d/?x=%20&y");
  EXPECT_EQ(location_without_slash("/a/b/", ""), "../b");
  EXPECT_EQ(location_without_slash("/b/", "x=1"), "../b?x=1");
}

}  // namespace
}  // namespace bentohost::http
