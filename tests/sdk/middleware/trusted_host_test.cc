#include <gtest/gtest.h>

#include <bento/middleware/trusted_host.hpp>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;

TEST(TrustedHost, LetsKnownNamesPassAndNoOthers) {
  const TrustedHost middleware{{"example.com", "*.example.org", "[::1]"}};
  const struct {
    const char* host;
    bool passes;
  } kCases[] = {
      {"example.com", true},
      {"example.com:8000", true},
      {"EXAMPLE.com", true},
      {"a.example.org", true},
      {"a.b.example.org:1", true},
      {"[::1]:8000", true},
      {"example.org", false},
      {"badexample.org", false},
      {"example.com.evil.net", false},
      {"sub.example.com", false},
      {"[::2]", false},
      {"", false},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    exchange.headers = {{"host", c.host}};
    EXPECT_EQ(exchange.request(middleware), c.passes) << c.host;
    if (c.passes) continue;
    EXPECT_EQ(exchange.answer->status, 400u);
    EXPECT_EQ(exchange.answer->body, "Invalid host header");
    EXPECT_EQ(fakes::find(exchange.answer->headers, "content-type"), "text/plain; charset=utf-8");
  }
}

TEST(TrustedHost, RefusesARequestWithoutAHost) {
  FakeExchange exchange;
  EXPECT_FALSE(exchange.request(TrustedHost{{"example.com"}}));
  FakeExchange other;
  EXPECT_TRUE(other.request(TrustedHost())) << "any host is one that is not there, too";
}

TEST(TrustedHost, RedirectsToTheNameWithWww) {
  const TrustedHost middleware{{"www.example.com"}};
  FakeExchange exchange;
  exchange.headers = {{"host", "example.com:8000"}};
  exchange.path = "/a b/50%?";
  exchange.query = "x=%2F";
  EXPECT_FALSE(exchange.request(middleware));
  EXPECT_EQ(exchange.answer->status, 307u);
  EXPECT_EQ(fakes::find(exchange.answer->headers, "location"),
            "http://www.example.com:8000/a%20b/50%25%3F?x=%2F");
  EXPECT_EQ(exchange.answer->body, "");
}

TEST(TrustedHost, RedirectsNobodyWhenToldNotTo) {
  const TrustedHost middleware({.allowed_hosts = {"www.example.com"}, .www_redirect = false});
  FakeExchange exchange;
  exchange.headers = {{"host", "example.com"}};
  EXPECT_FALSE(exchange.request(middleware));
  EXPECT_EQ(exchange.answer->status, 400u);
}

TEST(TrustedHost, TakesNoOtherPatterns) {
  for (const char* pattern : {"*example.com", "a.*.com", "example.*", "**", "*.a*", "", "::1",
                              "example.com:80", "[::1]:80", "*.example.com:80"}) {
    EXPECT_THROW(TrustedHost{{pattern}}, Error) << pattern;
  }
}

}  // namespace
}  // namespace bento::middleware
