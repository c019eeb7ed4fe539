#include <gtest/gtest.h>

#include <bento/middleware/secure_headers.hpp>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;
using fakes::Fields;

TEST(SecureHeaders, AreAdded) {
  FakeExchange exchange;
  (void)exchange.respond(SecureHeaders(), "", true);
  EXPECT_EQ(exchange.response_headers, (Fields{{"X-Content-Type-Options", "nosniff"},
                                               {"X-Frame-Options", "DENY"},
                                               {"Referrer-Policy", "no-referrer"}}));
}

TEST(SecureHeaders, KeepToHttpsOverHttpsOnly) {
  FakeExchange exchange;
  exchange.scheme = "https";
  (void)exchange.respond(SecureHeaders({.hsts_max_age = 60, .hsts_include_subdomains = true}), "",
                         true);
  EXPECT_EQ(exchange.header("strict-transport-security"), "max-age=60; includeSubDomains");
  FakeExchange without;
  without.scheme = "https";
  (void)without.respond(SecureHeaders({.hsts_max_age = 0}), "", true);
  EXPECT_EQ(without.header("strict-transport-security"), "");
}

TEST(SecureHeaders, LeaveWhatTheHandlerSet) {
  FakeExchange exchange;
  exchange.response_headers = {{"x-frame-options", "SAMEORIGIN"},
                               {"content-security-policy", "default-src 'none'"}};
  (void)exchange.respond(
      SecureHeaders({.referrer_policy = "", .content_security_policy = "default-src 'self'"}), "",
      true);
  EXPECT_EQ(exchange.response_headers, (Fields{{"x-frame-options", "SAMEORIGIN"},
                                               {"content-security-policy", "default-src 'none'"},
                                               {"X-Content-Type-Options", "nosniff"}}));
}

TEST(SecureHeaders, AreNoneWithControlCharacters) {
  EXPECT_THROW(SecureHeaders({.content_security_policy = "a\r\nb"}), Error);
}

}  // namespace
}  // namespace bento::middleware
