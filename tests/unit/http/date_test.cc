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

constexpr std::time_t kNow = 1'700'000'000;  // 14 Nov 2023

TEST(HttpDate, IsReadInAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994", kNow), 784111777);
  EXPECT_EQ(parse_http_date("Wed Nov 16 08:49:37 1994", kNow), 784111777 + 10 * 86400);
}

TEST(HttpDate, IsReadAsWritten) {
  for (const std::time_t time : {std::time_t{0}, std::time_t{951'782'400}, kNow,
                                 std::time_t{4'102'444'799}, std::time_t{-1}}) {
    EXPECT_EQ(parse_http_date(http_date(time), kNow), time);
  }
  EXPECT_EQ(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", kNow), 1483228800);
}

TEST(HttpDate, TakesTwoDigitsForAYearAtMostFiftyYearsAhead) {
  EXPECT_EQ(parse_http_date("Sunday, 01-Jan-73 00:00:00 GMT", kNow), 3250454400);   // 2073
  EXPECT_EQ(parse_http_date("Thursday, 14-Dec-73 00:00:00 GMT", kNow), 124675200);  // 1973
  EXPECT_EQ(parse_http_date("Monday, 01-Jan-74 00:00:00 GMT", kNow), 126230400);    // 1974
  EXPECT_EQ(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT", kNow), 946684800);
  EXPECT_EQ(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT", 3'250'454'400), 4102444800);
}

TEST(HttpDate, IsReadExactlyOrNotAtAll) {
  for (const char* text : {"",
                           "Sun",
                           "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "sun, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 nov 1994 08:49:37 GMT",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun,06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 94 08:49:37 GMT",
                           "Sun, 06 Nov 1994 8:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           " Sun, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 Nov 1994 08:60:37 GMT",
                           "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Wed, 30 Feb 1994 08:49:37 GMT",
                           "Wed, 29 Feb 2023 08:49:37 GMT",
                           "Sun, +6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov -994 08:49:37 GMT",
                           "784111777",
                           "Sun, 06-Nov-94 08:49:37 GMT",
                           "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994",
                           "Sun Nov 06 08:49:37 94",
                           "1994-11-06T08:49:37Z",
                           "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_http_date(text, kNow), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace bentohost::http
