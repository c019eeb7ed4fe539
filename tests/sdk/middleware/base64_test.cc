#include <gtest/gtest.h>

#include <bento/detail/base64.hpp>

namespace bento::detail {
namespace {

TEST(Base64, ReadsTheVectorsOfRfc4648) {
  const struct {
    const char *padded, *url, *bytes;
  } kCases[] = {
      {"", "", ""},
      {"Zg==", "Zg", "f"},
      {"Zm8=", "Zm8", "fo"},
      {"Zm9v", "Zm9v", "foo"},
      {"Zm9vYg==", "Zm9vYg", "foob"},
      {"Zm9vYmE=", "Zm9vYmE", "fooba"},
      {"Zm9vYmFy", "Zm9vYmFy", "foobar"},
      {"+/8=", "-_8", "\xfb\xff"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(base64_decode(c.padded, Base64::kPadded), c.bytes) << c.padded;
    EXPECT_EQ(base64_decode(c.url, Base64::kUrl), c.bytes) << c.url;
  }
}

TEST(Base64, ReadsNothingElse) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n",
                           "Zm9v====", "=Zm9", "-_8=", "Zg==Zg=="}) {
    EXPECT_EQ(base64_decode(text, Base64::kPadded), std::nullopt) << text;
  }
  for (const char* text : {"Z", "Zm9vY", "Zg==", "Zh", "Zm9", "+/8", "Zm9v.", "Zm9v\n", " Zm9v"}) {
    EXPECT_EQ(base64_decode(text, Base64::kUrl), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace bento::detail
