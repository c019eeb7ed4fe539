// The table of cases that is run against bentohost too: see tests/agreement.
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <bento/testing.hpp>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string text_of(const rapidjson::Value& json) {
  return {json.GetString(), json.GetStringLength()};
}
std::string member(const rapidjson::Value& object, const char* name, std::string otherwise = {}) {
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? otherwise : text_of(found->value);
}
std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2) {
    int byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

bento::testing::Request request_of(const rapidjson::Value& given) {
  bento::testing::Request request{
      .method = member(given, "method", "POST"),
      .target = member(given, "target"),
      .body = given.HasMember("hex") ? unhex(member(given, "hex")) : member(given, "body")};
  if (const auto headers = given.FindMember("headers"); headers != given.MemberEnd()) {
    for (const auto& header : headers->value.GetObject()) {
      request.headers.add(text_of(header.name), text_of(header.value));
    }
  }
  return request;
}

void check(const bento::testing::Response& response, const rapidjson::Value& expected) {
  EXPECT_EQ(response.status, expected["status"].GetUint()) << response.body;
  EXPECT_EQ(response.body, member(expected, "says", response.body));
  EXPECT_EQ(response.content_type, member(expected, "type", response.content_type));
  if (const auto has = expected.FindMember("has"); has != expected.MemberEnd()) {
    for (const auto& header : has->value.GetObject()) {
      EXPECT_EQ(response.headers.get(text_of(header.name)), text_of(header.value));
    }
  }
  if (response.status < 400) return;
  rapidjson::Document problem;
  problem.Parse(response.body.data(), response.body.size());
  ASSERT_TRUE(problem.IsObject()) << response.body;
  EXPECT_EQ(problem["status"].GetUint(), response.status);
  for (const char* name : {"title", "detail"}) {
    const std::string actual = member(problem, name);
    EXPECT_FALSE(actual.empty());
    EXPECT_EQ(actual, member(expected, name, actual));
  }
  EXPECT_EQ(member(problem, "request_id"), response.headers.get("X-Request-Id"));
}

TEST(Agreement, EachCaseIsAnsweredAsTheTableSays) {
  std::ifstream file(AGREEMENT_CASES);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  rapidjson::Document cases;
  cases.Parse(text.data(), text.size());
  ASSERT_TRUE(cases.IsArray());
  bento::testing::Host host(bento_entry);
  for (const auto& each : cases.GetArray()) {
    SCOPED_TRACE(member(each, "name"));
    check(host.request(request_of(each)), each);
  }
}

}  // namespace
