// Query: what a URL says behind its question mark.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/bento.hpp>

namespace garden_of_queries {

enum class Order { asc, desc };
BENTO_ENUM(Order, asc, desc)

}  // namespace garden_of_queries

namespace bento {
namespace {

using garden_of_queries::Order;
using testing::ElementsAre;

TEST(Query, IsDecodedAsBrowsersSendIt) {
  const Query query("q=blue+iris%21&empty=&bare&=x&&a=1&a=2&%C3%A9=%c3%A9&bad=%zz%4&end=%2&eq=a=b");
  EXPECT_EQ(query.get("q"), "blue iris!");
  EXPECT_EQ(query.get("empty"), "");
  EXPECT_EQ(query.get("bare"), "");
  EXPECT_EQ(query.get(""), "x");
  EXPECT_THAT(query.all("a"), ElementsAre("1", "2"));
  EXPECT_EQ(query.get("\u00e9"), "\u00e9");
  EXPECT_EQ(query.get("bad"), "%zz%4");
  EXPECT_EQ(query.get("end"), "%2");
  EXPECT_EQ(query.get("eq"), "a=b");
  EXPECT_EQ(query.size(), 10u);
  EXPECT_TRUE(Query("").empty());
  EXPECT_TRUE(Query("&&").empty());
}

TEST(Query, GivesValuesOfTypes) {
  const Query query("n=-7&u=255&f=1.5e3&b=true&c=0&order=desc&inf=inf&big=256&text=x");
  EXPECT_EQ(query.get<int>("n"), -7);
  EXPECT_EQ(query.get<std::uint8_t>("u"), 255);
  EXPECT_EQ(query.get<double>("f"), 1500.0);
  EXPECT_TRUE(query.get<bool>("b"));
  EXPECT_FALSE(query.get<bool>("c"));
  EXPECT_EQ(query.get<Order>("order"), Order::desc);
  EXPECT_EQ(query.get<std::string_view>("text"), "x");
  EXPECT_EQ(query.get("n", 5), -7);
  EXPECT_EQ(query.get("none", 5), 5);
  EXPECT_EQ(query.get("none", Order::asc), Order::asc);
  EXPECT_EQ(query.get("none", "fallback"), "fallback");
  EXPECT_EQ(query.get("text", "fallback"), "x");
  EXPECT_FALSE(query.has("none"));
  EXPECT_EQ(query.find("none"), std::nullopt);

  const auto refusal = [](auto get) -> std::string {
    try {
      (void)get();
      return "it is taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.http_status(), 422u);
      return error.what();
    }
  };
  EXPECT_EQ(refusal([&] { return query.get("none"); }), "query parameter none: is missing");
  EXPECT_EQ(refusal([&] { return query.get<std::uint8_t>("big"); }),
            "query parameter big: expected an integer from 0 to 255, got \"256\"");
  EXPECT_EQ(refusal([&] { return query.get<float>("inf"); }),
            "query parameter inf: expected a number, got \"inf\"");
  EXPECT_EQ(refusal([&] { return query.get("text", 1); }),
            "query parameter text: expected an integer from -2147483648 to 2147483647, got \"x\"");
  EXPECT_EQ(refusal([&] { return query.get<bool>("n"); }),
            "query parameter n: expected true or false, got \"-7\"");
  EXPECT_EQ(refusal([&] { return query.get<Order>("text"); }),
            "query parameter text: expected one of \"asc\", \"desc\", got \"x\"");
}

}  // namespace
}  // namespace bento
