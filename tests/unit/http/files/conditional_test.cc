#include "http/files/conditional.h"

#include <gtest/gtest.h>

#include <string>

#include "http/date.h"

namespace bentohost::http {
namespace {

constexpr std::time_t kChanged = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
const WallTime kModified = WallTime(std::chrono::seconds(kChanged)) + std::chrono::nanoseconds(5);
const WallTime kNow = kModified + std::chrono::hours(1);

const Validators kStrong{"\"a\"", kChanged, true};
const Validators kWeak{"W/\"a\"", kChanged, false};

std::string date(std::time_t time) { return std::string(http_date(time)); }
const std::string kSame = date(kChanged);
const std::string kBefore = date(kChanged - 1);
const std::string kAfter = date(kChanged + 1);

int status(Headers headers, const Validators& validators = kStrong, const char* method = "GET") {
  Request request;
  request.method = method;
  request.headers = std::move(headers);
  const Selection selection = select(request, validators, 1000, kNow);
  EXPECT_EQ(selection.status == 206, !selection.ranges.empty());
  return selection.status;
}

TEST(Validators, ChangeWithTimeAndSize) {
  const Validators one = file_validators(1000, kModified, kNow);
  EXPECT_TRUE(one.is_strong);
  EXPECT_EQ(one.last_modified, kChanged);
  EXPECT_EQ(one.etag.front(), '"');
  EXPECT_EQ(one.etag, file_validators(1000, kModified, kNow + std::chrono::hours(1)).etag);
  EXPECT_NE(one.etag, file_validators(1001, kModified, kNow).etag);
  EXPECT_NE(one.etag, file_validators(1000, kModified + std::chrono::nanoseconds(1), kNow).etag);
}

TEST(Validators, AreWeakUntilTheFileHasSettled) {
  const Validators fresh = file_validators(1000, kModified, kModified + kSettled);
  EXPECT_FALSE(fresh.is_strong);
  const Validators later =
      file_validators(1000, kModified, kModified + kSettled + std::chrono::nanoseconds(1));
  EXPECT_TRUE(later.is_strong);
  EXPECT_EQ(fresh.etag, "W/" + later.etag);
}

TEST(Validators, AreNeverOfTheFuture) {
  const Validators ahead = file_validators(1, kNow + std::chrono::hours(1), kNow);
  EXPECT_FALSE(ahead.is_strong);
  EXPECT_EQ(ahead.last_modified, kChanged + 3600);
}

TEST(Validators, FloorTimesBefore1970) {
  EXPECT_EQ(file_validators(1, WallTime(std::chrono::nanoseconds(-1)), kNow).last_modified, -1);
}

TEST(Conditional, AnswersInFullWithoutConditions) { EXPECT_EQ(status({}), 200); }

TEST(Conditional, IfNoneMatchComparesWeakly) {
  for (const char* list :
       {"\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",,W/\"a\" ,x", "*", "\"\",\"a\""}) {
    EXPECT_EQ(status({{"if-none-match", list}}), 304) << list;
    EXPECT_EQ(status({{"if-none-match", list}}, kWeak), 304) << list;
    EXPECT_EQ(status({{"if-none-match", list}}, kStrong, "HEAD"), 304) << list;
    EXPECT_EQ(status({{"if-none-match", list}}, kStrong, "PUT"), 412) << list;
  }
  for (const char* list : {"", "\"b\"", "a", "\"a", "w/\"a\"", "W/a", "\"b\" \"a\"", "x, \"a\"",
                           "\"b\"\"a\"", "\"b, a\"", "\"A\"", "W/", "**", "*, \"b\""}) {
    EXPECT_EQ(status({{"if-none-match", list}}), 200) << list;
  }
  EXPECT_EQ(status({{"if-none-match", "\"b\""}, {"if-none-match", "\"a\""}}), 304);
}

TEST(Conditional, IfMatchComparesStrongly) {
  for (const char* list : {"\"a\"", "\"b\", \"a\"", "*"}) {
    EXPECT_EQ(status({{"if-match", list}}), 200) << list;
  }
  for (const char* list : {"\"b\"", "W/\"a\"", "", "a"}) {
    EXPECT_EQ(status({{"if-match", list}}), 412) << list;
  }
  EXPECT_EQ(status({{"if-match", "W/\"a\", \"a\""}}, kWeak), 412);
  EXPECT_EQ(status({{"if-match", "*"}}, kWeak), 200);
}

TEST(Conditional, IfModifiedSinceIsForReading) {
  EXPECT_EQ(status({{"if-modified-since", kSame}}), 304);
  EXPECT_EQ(status({{"if-modified-since", kAfter}}, kStrong, "HEAD"), 304);
  EXPECT_EQ(status({{"if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT"}}), 304);
  EXPECT_EQ(status({{"if-modified-since", "Sun Nov  6 08:49:37 1994"}}), 304);
  EXPECT_EQ(status({{"if-modified-since", kBefore}}), 200);
  EXPECT_EQ(status({{"if-modified-since", kSame}}, kStrong, "PUT"), 200);
  EXPECT_EQ(status({{"if-modified-since", "yesterday"}}), 200);
  EXPECT_EQ(status({{"if-modified-since", kSame}, {"if-modified-since", kSame}}), 200);
}

TEST(Conditional, IfUnmodifiedSinceGuards) {
  EXPECT_EQ(status({{"if-unmodified-since", kSame}}), 200);
  EXPECT_EQ(status({{"if-unmodified-since", kAfter}}), 200);
  EXPECT_EQ(status({{"if-unmodified-since", kBefore}}), 412);
  EXPECT_EQ(status({{"if-unmodified-since", "yesterday"}}), 200);
}

TEST(Conditional, FieldsAreEvaluatedInOrder) {
  // The left header of each pair makes the right one ignored.
  EXPECT_EQ(status({{"if-unmodified-since", kBefore}, {"if-match", "\"a\""}}), 200);
  EXPECT_EQ(status({{"if-modified-since", kSame}, {"if-none-match", "\"b\""}}), 200);
  EXPECT_EQ(status({{"if-none-match", "\"a\""}, {"if-match", "\"b\""}}), 412);
  EXPECT_EQ(status({{"if-none-match", "\"a\""}, {"if-unmodified-since", kBefore}}), 412);
  EXPECT_EQ(status({{"if-none-match", "\"a\""}, {"range", "bytes=0-1"}}), 304);
  EXPECT_EQ(status({{"if-match", "\"b\""}, {"range", "bytes=2000-"}}), 412);
}

TEST(Conditional, RangesAreForGetAlone) {
  EXPECT_EQ(status({{"range", "bytes=0-1"}}), 206);
  EXPECT_EQ(status({{"range", "bytes=0-1,5-6"}}, kWeak), 206);
  EXPECT_EQ(status({{"range", "bytes=0-1"}}, kStrong, "HEAD"), 200);
  EXPECT_EQ(status({{"range", "bytes=1000-"}}), 416);
  EXPECT_EQ(status({{"range", "bytes=1000-"}}, kStrong, "HEAD"), 200);
  EXPECT_EQ(status({{"range", "lines=0-1"}}), 200);
  EXPECT_EQ(status({{"range", "bytes=0-1"}, {"range", "bytes=4-5"}}), 200);
}

TEST(Conditional, IfRangeNeedsAStrongValidatorThatIsTheSame) {
  const auto with = [](const std::string& value, const Validators& validators) {
    return status({{"if-range", value}, {"range", "bytes=0-1"}}, validators);
  };
  EXPECT_EQ(with("\"a\"", kStrong), 206);
  EXPECT_EQ(with(kSame, kStrong), 206);
  for (const std::string& value :
       {std::string("\"b\""), std::string("W/\"a\""), kBefore, kAfter, std::string(""),
        std::string("*"), std::string("\"a\", \"b\"")}) {
    EXPECT_EQ(with(value, kStrong), 200) << value;
  }
  EXPECT_EQ(with("W/\"a\"", kWeak), 200);
  EXPECT_EQ(with(kSame, kWeak), 200);
  EXPECT_EQ(status({{"if-range", "\"b\""}, {"range", "bytes=2000-"}}), 200);
  EXPECT_EQ(status({{"if-range", "\"b\""}}), 200);
}

}  // namespace
}  // namespace bentohost::http
