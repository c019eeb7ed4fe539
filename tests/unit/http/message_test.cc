#include "http/message.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(Message, JoinsTheLinesOfAListFieldInTheirOrder) {
  const Headers headers = {{"accept", "a"}, {"via", "1.1 x"}, {"accept", ""}, {"accept", "b, c"}};
  EXPECT_EQ(joined_header(headers, "accept"), "a, , b, c");
  EXPECT_EQ(joined_header(headers, "via"), "1.1 x");
  EXPECT_EQ(joined_header(headers, "none"), "");
}

TEST(Message, TellsAnEmptyFieldFromNone) {
  const Headers headers = {{"accept", ""}};
  EXPECT_TRUE(has_header(headers, "accept"));
  EXPECT_FALSE(has_header(headers, "via"));
}

}  // namespace
}  // namespace bentohost::http
