#include "app/ready_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace bentohost::app {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ReadyLine, SaysWhatIsServedWhereAndHowLongItTook) {
  const std::string line =
      ready_line(LogFormat::kText, "iris 1.0", "http://127.0.0.1:3000", std::chrono::seconds(2));
  EXPECT_THAT(line, HasSubstr(" serves iris 1.0 at http://127.0.0.1:3000 (ready in 2000 ms)\n"));
}

TEST(ReadyLine, IsOneLineOfJsonWhateverIsInIt) {
  const std::string line =
      ready_line(LogFormat::kJson, "a\"b", "unix:/tmp/\n\\\"x", std::chrono::milliseconds(7));
  const auto json = parse_json(line);
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_STREQ((*json)["services"].GetString(), "a\"b");
  EXPECT_STREQ((*json)["url"].GetString(), "unix:/tmp/\n\\\"x");
  EXPECT_EQ((*json)["took_ms"].GetInt(), 7);
}

TEST(ReadyLine, IsOneLineOfTextWhateverIsInIt) {
  const std::string line =
      ready_line(LogFormat::kText, "a", "unix:/tmp/\nx", std::chrono::milliseconds(7));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace bentohost::app
