// What a worker is told first comes out as it went in.
#include "runner/hello.h"

#include <gtest/gtest.h>

namespace bentohost::runner {
namespace {

TEST(Hello, ComesOutAsItWentIn) {
  const Hello hello{R"({"model":"a \"b\".txt","n":1.10,"deep":{"options":[1]}})", "first",
                    "0123456789abcdef"};
  const auto told = decode_hello(encode_hello(hello));
  ASSERT_TRUE(told.ok()) << told.status().message();
  EXPECT_EQ(told->options, hello.options) << "to the byte";
  EXPECT_EQ(told->instance, hello.instance);
  EXPECT_EQ(told->description, hello.description);
}

TEST(Hello, MayBeOfAServiceWithoutOptions) {
  const auto told = decode_hello(encode_hello({}));
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(told->options, "{}");
  EXPECT_EQ(told->description, "");
}

TEST(Hello, IsNothingElse) {
  for (const char* text : {"", "[]", "{\"instance\":1}", "{\"options\":"}) {
    EXPECT_EQ(decode_hello(text).status().code(), BENTO_INVALID_ARGUMENT) << text;
  }
}

}  // namespace
}  // namespace bentohost::runner
