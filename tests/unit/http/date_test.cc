#include "http/date.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(HttpDate, IsTheFixedFormOfRfc9110) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpDate, ChangesWithTheSecondInEitherDirection) {
  EXPECT_EQ(http_date(1), "Thu, 01 Jan 1970 00:00:01 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace bentohost::http
