#include "http/syntax.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <string_view>

namespace bentohost::http {
namespace {

// Short texts and long ones, and what is looked at by words and by bytes.
constexpr std::size_t kLongest = 20;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

TEST(Syntax, ComparesEachByteAtEachPlaceIgnoringTheCaseOfLettersAlone) {
  for (std::size_t size = 1; size <= kLongest; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string one(size, 'x'), other(size, 'X');
      for (int a = 0; a < 256; ++a) {
        for (int b : {a, a ^ 0x20, a ^ 0x80, a ^ 1, a + 1}) {
          one[at] = static_cast<char>(a);
          other[at] = static_cast<char>(b);
          EXPECT_EQ(equals_ignoring_case(one, other), lower(one[at]) == lower(other[at]))
              << a << " and " << b << " at " << at << " of " << size;
        }
      }
    }
  }
}

TEST(Syntax, ComparesTextsOfDifferentLengths) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("", "a"));
  EXPECT_FALSE(equals_ignoring_case("content-length", "content-lengt"));
}

TEST(Syntax, FindsAControlByteAtEachPlaceOfAFieldValue) {
  EXPECT_TRUE(is_field_value(""));
  for (std::size_t size = 1; size <= kLongest; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        // A tab beside it makes all of a word be looked at by bytes.
        for (const char beside : {'a', '\t', '\xff', ' '}) {
          std::string value(size, beside);
          value[at] = static_cast<char>(byte);
          const bool is_valid = (byte >= ' ' && byte != 0x7f) || byte == '\t';
          EXPECT_EQ(is_field_value(value), is_valid) << byte << " at " << at << " of " << size;
        }
      }
    }
  }
}

TEST(Syntax, LowersATokenAndFindsWhatIsNoneAtEachPlace) {
  std::string out = "x";
  EXPECT_FALSE(append_lower_token("", out));
  for (std::size_t place = 0; place < kLongest * kLongest; ++place) {
    const std::size_t size = place / kLongest + 1, at = place % kLongest;
    for (int byte = 0; byte < 256 && at < size; ++byte) {
      std::string name(size, 'N');
      name[at] = static_cast<char>(byte);
      const bool is_valid =
          byte < 128 && (std::isalnum(byte) != 0 ||
                         (byte != 0 && std::string_view("!#$%&'*+-.^_`|~").find(name[at]) !=
                                           std::string_view::npos));
      out = "x";
      EXPECT_EQ(is_token(name), is_valid) << byte << " at " << at << " of " << size;
      EXPECT_EQ(append_lower_token(name, out), is_valid) << byte << " at " << at << " of " << size;
      if (!is_valid) continue;
      std::string expected(size, 'n');
      expected[at] = lower(name[at]);
      EXPECT_EQ(out, "x" + expected);
    }
  }
}

}  // namespace
}  // namespace bentohost::http
