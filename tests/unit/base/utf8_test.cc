#include "base/utf8.h"

#include <gtest/gtest.h>

namespace bentohost {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, TakesWellFormedText) {
  for (const std::string_view text : {""sv, "abc"sv, "\0"sv, "\xC3\xA9"sv, "\xE2\x82\xAC"sv,
                                      "\xF0\x9F\x99\x82"sv, "\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesWhatRfc3629DoesNotKnow) {
  for (const std::string_view text : {"\x80"sv, "\xC3"sv, "\xC0\x80"sv, "a\xE2\x82"sv,
                                      "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xFF"sv}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace bentohost
