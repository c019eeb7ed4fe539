#include "http/head_writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace bentohost::http {
namespace {

TEST(HeadWriter, AppendsFieldsAndNumbers) {
  std::string out = "before ";
  {
    HeadWriter writer(out);
    writer.put("GET ").put("").field("host", "a.example").field("empty", "");
    writer.put(std::uint64_t{0}).put(" ").put(std::numeric_limits<std::uint64_t>::max());
  }
  EXPECT_EQ(out, "before GET host: a.example\r\nempty: \r\n0 18446744073709551615");
}

TEST(HeadWriter, GrowsForWhatIsLongerThanAUsualHead) {
  for (const std::size_t size : {1u, 100u, 511u, 512u, 513u, 70'000u}) {
    std::string out;
    std::string expected;
    {
      HeadWriter writer(out);
      for (const char c : {'a', 'b', 'c'}) {
        writer.put(std::string(size, c));
        expected += std::string(size, c);
      }
    }
    EXPECT_EQ(out, expected) << size;
  }
}

TEST(HeadWriter, AppendsNothingIfNothingIsPut) {
  std::string out = "before";
  { const HeadWriter writer(out); }
  EXPECT_EQ(out, "before");
}

}  // namespace
}  // namespace bentohost::http
