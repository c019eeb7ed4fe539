#include "http/route/route_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace bentohost::http {
namespace {

using testing::HasSubstr;

TEST(CheckRoute, TakesLiteralPaths) {
  for (const char* route : {"/", "/classify", "/v1/models/iris.v2:predict", "/a/", "/a//b", "/...",
                            "/100%", "/%x", "/\xc3\xa9"}) {
    EXPECT_TRUE(check_route(route).ok()) << route;
    EXPECT_TRUE(check_prefix(route).ok()) << route;
  }
}

TEST(CheckRoute, TakesParametersWithLiteralTextAroundThem) {
  for (const char* route : {"/{id}", "/v1/models/{model}:predict", "/v{major}/x", "/a.{b}.c",
                            "/{a}/{b}/", "/{_a1}", "/{A}//{b}"}) {
    EXPECT_TRUE(check_route(route).ok()) << route;
    EXPECT_EQ(check_prefix(route).code(), BENTO_INVALID_ARGUMENT) << route;
  }
}

TEST(CheckRoute, RefusesWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"", "does not start with '/'"},
      {"x", "does not start with '/'"},
      {"{x}", "does not start with '/'"},
      {"*", "does not start with '/'"},
      {"//x", "more than one '/'"},
      {"/a b", "white space"},
      {"/a\tb", "white space"},
      {"/a\x7f", "control byte"},
      {std::string("/a\0", 3), "control byte"},
      {"/a?b", "a query"},
      {"/a#b", "a fragment"},
      {"/a%20b", "a percent escape"},
      {"/.", "\".\" or \"..\""},
      {"/a/./b", "\".\" or \"..\""},
      {"/a/../b", "\".\" or \"..\""},
      {"/a/..", "\".\" or \"..\""},
      {"/{", "'{' without its '}'"},
      {"/{a", "'{' without its '}'"},
      {"/{a/b}", "'{' without its '}' in the same segment"},
      {"/a}", "'}' without its '{'"},
      {"/}a{", "'}' without its '{'"},
      {"/{a}}", "more than one parameter in a segment"},
      {"/{a}{b}", "more than one parameter in a segment"},
      {"/{a}-{b}", "more than one parameter in a segment"},
      {"/{{a}}", "more than one parameter in a segment"},
      {"/{}", "name"},
      {"/{1a}", "name"},
      {"/{a-b}", "name"},
      {"/{a:int}", "name"},
      {"/{a:path}", "name"},
      {"/{*}", "name"},
      {"/{a}/{a}", "the parameter {a} twice"},
      {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "more than 8 parameters"},
      {"/" + std::string(kMaxRoute, 'a'), "longer than 1024 bytes"},
  };
  for (const auto& [route, reason] : refused) {
    const Status status = check_route(route);
    EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT) << route;
    EXPECT_THAT(status.message(), HasSubstr(reason)) << route;
    EXPECT_EQ(check_prefix(route).code(), BENTO_INVALID_ARGUMENT) << route;
  }
}

TEST(CheckRoute, TakesTheLongestAndTheMostParameters) {
  EXPECT_TRUE(check_route("/" + std::string(kMaxRoute - 1, 'a')).ok());
  EXPECT_TRUE(check_route("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}").ok());
}

TEST(TakeSegment, LeavesTheRestWithItsSlash) {
  std::string_view path = "/a//b/";
  std::vector<std::string_view> segments;
  while (!path.empty()) segments.push_back(take_segment(path));
  EXPECT_EQ(segments, (std::vector<std::string_view>{"a", "", "b", ""}));
}

TEST(ParseSegment, TellsTheParameterFromTheTextAroundIt) {
  const Segment segment = parse_segment("v{major}.x");
  EXPECT_EQ(segment.before, "v");
  EXPECT_EQ(segment.name, "major");
  EXPECT_EQ(segment.after, ".x");
  EXPECT_EQ(parse_segment("abc").before, "abc");
  EXPECT_EQ(parse_segment("abc").name, "");
}

}  // namespace
}  // namespace bentohost::http
