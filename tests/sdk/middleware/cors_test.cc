#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/middleware/cors.hpp>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using fakes::FakeAnswer;
using fakes::FakeExchange;
using fakes::Fields;

FakeAnswer preflight(const CORS& middleware, const std::string& origin, const std::string& method,
                     const std::string& headers = "-") {
  FakeExchange exchange;
  exchange.method = "OPTIONS";
  exchange.headers = {{"origin", origin}, {"access-control-request-method", method}};
  if (headers != "-") exchange.headers.emplace_back("access-control-request-headers", headers);
  EXPECT_FALSE(exchange.request(middleware));
  return exchange.answer.value_or(FakeAnswer{});
}

// "200 OK: allow-origin https://a.com, vary Origin": what the answer to a preflight says.
std::string summary(const FakeAnswer& answer) {
  std::string all = std::to_string(answer.status) + " " + answer.body;
  for (const char* name : {"Allow-Origin", "Allow-Credentials"}) {
    const std::string value = fakes::find(answer.headers, std::string("Access-Control-") + name);
    if (!value.empty()) all += std::string(" | ") + name + " " + value;
  }
  const std::string vary = fakes::find(answer.headers, "Vary");
  return all + (vary.empty() ? "" : " | Vary " + vary);
}

TEST(CorsPreflight, IsAnsweredAsTheOptionsSay) {
  const CORS none;
  const CORS any({.access_control_allow_origins = {"*"}, .access_control_allow_methods = {"*"}});
  const CORS one({.access_control_allow_origins = {"https://a.com"},
                  .access_control_allow_methods = {"GET", "POST"}});
  const CORS known(
      {.access_control_allow_origins = {"*"}, .access_control_allow_credentials = true});
  const CORS like({.access_control_allow_origin_regex = "https://.*\\.a\\.com"});
  const std::string bad_origin = "400 Disallowed CORS origin | Vary Origin";
  const struct {
    const CORS& middleware;
    const char *origin, *method;
    std::string answer;
  } kCases[] = {
      {none, "https://a.com", "GET", bad_origin},
      {none, "https://a.com", "PUT", "400 Disallowed CORS origin, method | Vary Origin"},
      {any, "https://a.com", "PUT", "200 OK | Allow-Origin *"},
      {any, "null", "BREW", "400 Disallowed CORS method | Allow-Origin *"},
      {one, "https://a.com", "POST", "200 OK | Allow-Origin https://a.com | Vary Origin"},
      {one, "https://a.com:1", "POST", bad_origin},
      {one, "https://A.com", "POST", bad_origin},
      {one, "https://a.com", "post",
       "400 Disallowed CORS method | Allow-Origin https://a.com | Vary Origin"},
      {known, "https://b.com", "GET",
       "200 OK | Allow-Origin https://b.com | Allow-Credentials true | Vary Origin"},
      {like, "https://x.a.com", "GET", "200 OK | Allow-Origin https://x.a.com | Vary Origin"},
      {like, "https://x.a.com.evil.net", "GET", bad_origin},
      {like, "x https://x.a.com", "GET", bad_origin},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(summary(preflight(c.middleware, c.origin, c.method)), c.answer)
        << c.origin << " " << c.method;
  }
}

TEST(CorsPreflight, TellsMethodsHeadersAndAge) {
  const CORS middleware({.access_control_allow_origins = {"*"},
                         .access_control_allow_methods = {"GET", "PUT"},
                         .access_control_allow_headers = {"X-B", "X-A", "Accept"},
                         .access_control_max_age = 5});
  const auto answer = preflight(middleware, "https://a.com", "PUT");
  EXPECT_EQ(fakes::find(answer.headers, "Access-Control-Allow-Methods"), "GET, PUT");
  EXPECT_EQ(fakes::find(answer.headers, "Access-Control-Allow-Headers"),
            "Accept, Accept-Language, Content-Language, Content-Type, X-A, X-B");
  EXPECT_EQ(fakes::find(answer.headers, "Access-Control-Max-Age"), "5");
  EXPECT_EQ(fakes::find(answer.headers, "Content-Type"), "text/plain; charset=utf-8");
}

TEST(CorsPreflight, HoldsTheWantedHeadersAgainstTheList) {
  const CORS middleware(
      {.access_control_allow_origins = {"*"}, .access_control_allow_headers = {"X-One"}});
  EXPECT_EQ(preflight(middleware, "https://a.com", "GET", "x-one, CONTENT-TYPE").status, 200u);
  EXPECT_EQ(preflight(middleware, "https://a.com", "GET", "x-one,x-two").body,
            "Disallowed CORS headers");
  EXPECT_EQ(preflight(CORS(), "https://a.com", "PUT", "x-two").body,
            "Disallowed CORS origin, method, headers");
}

TEST(CorsPreflight, MirrorsTheWantedHeadersWhereAnyIsAllowed) {
  const CORS middleware(
      {.access_control_allow_origins = {"*"}, .access_control_allow_headers = {"*"}});
  const auto answer = preflight(middleware, "https://a.com", "GET", "x-any, x-thing");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(fakes::find(answer.headers, "Access-Control-Allow-Headers"), "x-any, x-thing");
  EXPECT_EQ(fakes::find(preflight(middleware, "https://a.com", "GET").headers,
                        "Access-Control-Allow-Headers"),
            "");
}

TEST(CorsPreflight, IsOnlyWhatHasAllThatAPreflightHas) {
  const CORS middleware({.access_control_allow_origins = {"*"}});
  const struct {
    const char* method;
    Fields headers;
  } kCases[] = {
      {"OPTIONS", {{"origin", "https://a.com"}}},
      {"OPTIONS", {{"access-control-request-method", "GET"}}},
      {"GET", {{"origin", "https://a.com"}, {"access-control-request-method", "GET"}}},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    exchange.method = c.method;
    exchange.headers = c.headers;
    EXPECT_TRUE(exchange.request(middleware)) << c.method;
  }
}

TEST(CorsPreflight, GivesNoLongOriginToTheRegex) {
  const CORS middleware({.access_control_allow_origin_regex = "(https?://)?(a+)+"});
  const std::string origin = "https://" + std::string(100'000, 'a');
  EXPECT_EQ(preflight(middleware, origin, "GET").status, 400u);
}

// The headers that an answer of 200 has in the end.
Fields respond(const CORS& middleware, const Fields& request, Fields response = {}) {
  FakeExchange exchange;
  exchange.headers = request;
  exchange.response_headers = std::move(response);
  EXPECT_TRUE(exchange.request(middleware));
  EXPECT_EQ(exchange.respond(middleware, "body", true), "body");
  return exchange.response_headers;
}

TEST(CorsResponse, SaysNothingToThoseWithoutAnOrigin) {
  const CORS any({.access_control_allow_origins = {"*"}});
  EXPECT_EQ(respond(any, {}), Fields());
  // ... but what differs by origin says so to caches.
  EXPECT_EQ(respond(CORS(), {}), (Fields{{"Vary", "Origin"}}));
}

TEST(CorsResponse, AllowsAnyOriginWithoutCredentials) {
  const CORS middleware(
      {.access_control_allow_origins = {"*"}, .access_control_expose_headers = {"X-A", "X-B"}});
  EXPECT_EQ(respond(middleware, {{"origin", "https://a.com"}}),
            (Fields{{"Access-Control-Expose-Headers", "X-A, X-B"},
                    {"Access-Control-Allow-Origin", "*"}}));
  EXPECT_EQ(respond(middleware, {{"origin", "https://a.com"}, {"cookie", "a=b"}}),
            (Fields{{"Access-Control-Expose-Headers", "X-A, X-B"},
                    {"Access-Control-Allow-Origin", "https://a.com"},
                    {"Vary", "Origin"}}));
}

TEST(CorsResponse, NamesTheOriginWhereThereAreCredentials) {
  const CORS middleware(
      {.access_control_allow_origins = {"*"}, .access_control_allow_credentials = true});
  EXPECT_EQ(respond(middleware, {{"origin", "https://a.com"}}),
            (Fields{{"Vary", "Origin"},
                    {"Access-Control-Allow-Credentials", "true"},
                    {"Access-Control-Allow-Origin", "https://a.com"}}));
}

TEST(CorsResponse, AllowsOriginsOfTheListOnly) {
  const CORS middleware({.access_control_allow_origins = {"https://a.com"}});
  EXPECT_EQ(respond(middleware, {{"origin", "https://b.com"}}), (Fields{{"Vary", "Origin"}}));
  EXPECT_EQ(respond(middleware, {{"origin", "https://a.com"}},
                    {{"vary", "Accept"}, {"access-control-allow-origin", "*"}}),
            (Fields{{"Vary", "Accept, Origin"}, {"Access-Control-Allow-Origin", "https://a.com"}}));
}

TEST(Cors, RefusesOptionsThatCannotBe) {
  EXPECT_THROW(CORS({.access_control_allow_origin_regex = "("}), Error);
  EXPECT_THROW(CORS({.access_control_allow_methods = {"A B"}}), Error);
  EXPECT_THROW(CORS({.access_control_allow_headers = {"X-A, X-B"}}), Error);
  EXPECT_THROW(CORS({.access_control_expose_headers = {"X\r\nA"}}), Error);
}

}  // namespace
}  // namespace bento::middleware
