// BasicAuth, BearerToken and APIKey.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/middleware/api_key.hpp>
#include <bento/middleware/basic_auth.hpp>
#include <bento/middleware/bearer_token.hpp>

#include "sdk/fake_exchange.h"
#include "sdk/middleware/temporary_file.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;
using fakes::Fields;
using testing::HasSubstr;
using testing::Not;

// The challenge of the 401, or "" where the request passes.
template <typename M>
std::string challenge(const M& middleware, const Fields& headers) {
  FakeExchange exchange;
  exchange.headers = headers;
  if (exchange.request(middleware)) return "";
  EXPECT_EQ(exchange.answer->status, 401u);
  EXPECT_EQ(fakes::find(exchange.answer->headers, "content-type"), "application/problem+json");
  EXPECT_THAT(exchange.answer->body, HasSubstr("\"status\":401"));
  EXPECT_THAT(exchange.answer->body, HasSubstr("\"request_id\":\"r1\""));
  return fakes::find(exchange.answer->headers, "www-authenticate");
}
template <typename M>
std::string challenge(const M& middleware, const std::string& authorization) {
  return challenge(middleware, Fields{{"authorization", authorization}});
}

TEST(BasicAuth, LetsThosePassWhoKnowAPassword) {
  // "Aladdin:open sesame" is RFC 7617's own.
  const BasicAuth middleware({.users = {"Aladdin:open sesame", "test:123\xc2\xa3"}});
  EXPECT_EQ(challenge(middleware, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "");
  EXPECT_EQ(challenge(middleware, "basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "");
  EXPECT_EQ(challenge(middleware, "Basic dGVzdDoxMjPCow=="), "");
}

TEST(BasicAuth, ChallengesAllOthers) {
  const BasicAuth middleware({.users = {"Aladdin:open sesame"}, .realm = "a \"b\""});
  const std::string expected = R"(Basic realm="a \"b\"", charset="UTF-8")";
  EXPECT_EQ(challenge(middleware, Fields{}), expected);
  for (const char* value : {
           "",
           "Basic",
           "Basic ",
           "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
           "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
           "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
           "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== x",
           "Basic QWxhZGRpbjo=",
           "Basic QWxhZGRpbg==",
           "Basic !!!!",
       }) {
    EXPECT_EQ(challenge(middleware, value), expected) << value;
  }
}

TEST(BasicAuth, RefusesUsersThatCannotBe) {
  for (const char* user : {"name", ":password", "name:", ""}) {
    EXPECT_THROW(BasicAuth({.users = {user}}), Error) << user;
  }
  EXPECT_THROW(BasicAuth({}), Error);
  EXPECT_THROW(BasicAuth({.users = {"a:b"}, .realm = "a\nb"}), Error);
  EXPECT_NO_THROW(BasicAuth({.users = {"a:b:c"}}));
}

TEST(BearerToken, TellsAWrongTokenFromNone) {
  const BearerToken middleware({.tokens = {"abc", "a-b.c_d~e+f/g=="}, .realm = "models"});
  EXPECT_EQ(challenge(middleware, "Bearer abc"), "");
  EXPECT_EQ(challenge(middleware, "BEARER a-b.c_d~e+f/g=="), "");
  EXPECT_EQ(challenge(middleware, Fields{}), "Bearer realm=\"models\"");
  EXPECT_EQ(challenge(middleware, "Basic abc"), "Bearer realm=\"models\"");
  for (const char* value : {"Bearer ab", "Bearer abcd", "Bearer abc x", "Bearer ABC"}) {
    EXPECT_EQ(challenge(middleware, value), "Bearer realm=\"models\", error=\"invalid_token\"")
        << value;
  }
}

TEST(BearerToken, TakesTokensThatAHeaderCanHave) {
  for (const char* token : {"", "a b", "=", "a=b", "\xc3\xa9"}) {
    EXPECT_THROW(BearerToken({.tokens = {token}}), Error) << token;
  }
}

TEST(BearerToken, TakesTheTokensOfAFileAsItChanges) {
  const fakes::TemporaryFile file("# of October\nold\n");
  std::chrono::steady_clock::time_point now{};
  const BearerToken middleware({.tokens_file = file.path()}, [&now] { return now; });
  EXPECT_EQ(challenge(middleware, "Bearer old"), "");
  file.replace("new\n");
  now += std::chrono::seconds(1);
  EXPECT_EQ(challenge(middleware, "Bearer new"), "");
  EXPECT_NE(challenge(middleware, "Bearer old"), "");
}

TEST(APIKey, IsLookedForInItsHeader) {
  const APIKey middleware({.keys = {"k1", "k2"}});
  EXPECT_EQ(challenge(middleware, Fields{{"x-api-key", "k2"}}), "");
  EXPECT_EQ(challenge(middleware, Fields{{"x-api-key", "k3"}}), "ApiKey header=\"x-api-key\"");
  EXPECT_EQ(challenge(middleware, Fields{{"x-api-key", ""}}), "ApiKey header=\"x-api-key\"");
  EXPECT_EQ(challenge(middleware, "k1"), "ApiKey header=\"x-api-key\"");
  const APIKey other({.keys = {"k1"}, .header = "Api-Key"});
  EXPECT_EQ(challenge(other, Fields{{"api-key", "k1"}}), "");
  EXPECT_NE(challenge(other, Fields{{"x-api-key", "k1"}}), "");
}

TEST(APIKey, RefusesOptionsThatCannotBe) {
  EXPECT_THROW(APIKey({.keys = {"a b"}}), Error);
  EXPECT_THROW(APIKey({.keys = {"a"}, .header = "x y"}), Error);
}

TEST(APIKey, TellsNoSecret) {
  FakeExchange exchange;
  exchange.headers = {{"x-api-key", "GIVEN"}};
  EXPECT_FALSE(exchange.request(APIKey({.keys = {"SECRET"}})));
  EXPECT_THAT(exchange.answer->body, Not(HasSubstr("SECRET")));
  EXPECT_THAT(exchange.answer->body, Not(HasSubstr("GIVEN")));
  EXPECT_TRUE(exchange.host.logged.empty());
  try {
    (void)APIKey({.keys = {"a SECRET"}});
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("SECRET")));
  }
}

}  // namespace
}  // namespace bento::middleware
