#include "http/trace_context.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c", kParent = "b7ad6b7169203331";
const std::string kGood = "00-" + kTrace + "-" + kParent + "-01";

std::string_view of(const std::string& value) {
  static Headers headers;
  headers = {{"host", "x"}, {"traceparent", value}};
  return traceparent(headers);
}

TEST(Traceparent, IsTheHeaderWhenItIsWellFormed) {
  EXPECT_EQ(of(kGood), kGood);
  EXPECT_EQ(of("cc" + kGood.substr(2) + "-what-comes-later"),
            "cc" + kGood.substr(2) + "-what-comes-later");
  EXPECT_EQ(traceparent({{"host", "x"}}), "");
}

TEST(Traceparent, IsIgnoredWhenItIsNot) {
  for (const std::string& bad :
       {std::string(), std::string("00-x"), kGood + "-more", "ff" + kGood.substr(2),
        "00-" + std::string(32, '0') + "-" + kParent + "-01",
        "00-" + kTrace + "-" + std::string(16, '0') + "-01", "00-" + kTrace + "_" + kParent + "-01",
        "0A" + kGood.substr(2), "cc" + kGood.substr(2) + "x", kGood.substr(0, 54),
        "cc" + kGood.substr(2) + "-" + std::string(512, 'x')}) {
    EXPECT_EQ(of(bad), "") << bad;
  }
  EXPECT_EQ(traceparent({{"traceparent", kGood}, {"traceparent", kGood}}), "") << "which of them?";
}

}  // namespace
}  // namespace bentohost::http
