#include "http/parse/forwarded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace bentohost::http {
namespace {

using ::testing::HasSubstr;

TrustedProxies trusting(std::string_view list) {
  Result<TrustedProxies> proxies = TrustedProxies::parse(list);
  EXPECT_TRUE(proxies.ok()) << proxies.status().message();
  return *proxies;
}

// "client scheme" of a request from 10.0.0.1:1234 over http.
std::string seen(std::string_view trusted, Headers headers) {
  Request request;
  request.client = "10.0.0.1:1234";
  request.headers = std::move(headers);
  apply_forwarded(trusting(trusted), request);
  return request.client + " " + std::string(request.scheme);
}

std::string seen_by(std::string_view name, std::string_view value) {
  return seen("10.0.0.0/8", {{std::string(name), std::string(value)}});
}

constexpr std::string_view kUnchanged = "10.0.0.1:1234 http";

TEST(TrustedProxies, TrustsAddressesAndNetworks) {
  const TrustedProxies proxies = trusting("127.0.0.1, 10.0.0.0/8,2001:db8::/32, fe80::1");
  for (const char* peer : {"127.0.0.1:51034", "10.1.2.3:80", "10.1.2.3", "[2001:db8::7]:80",
                           "2001:db8::7", "[::ffff:127.0.0.1]:80", "[fe80::1%eth0]:80"}) {
    EXPECT_TRUE(proxies.trusts(peer)) << peer;
  }
  for (const char* peer : {"127.0.0.2:80", "[::1]:80", "unknown", "", "unix", "127.0.0.1:80:80"}) {
    EXPECT_FALSE(proxies.trusts(peer)) << peer;
  }
}

TEST(TrustedProxies, TrustsUnixPeersAndEverybodyByName) {
  EXPECT_TRUE(trusting("unix").trusts("unix"));
  EXPECT_TRUE(trusting("unix").trusts("unix:/run/bento.sock"));
  EXPECT_FALSE(trusting("unix").trusts("127.0.0.1:80"));
  for (const char* peer : {"unix", "192.0.2.1:80", "unknown", ""}) {
    EXPECT_TRUE(trusting("127.0.0.1, *").trusts(peer));
    EXPECT_FALSE(trusting("").trusts(peer));
    EXPECT_FALSE(trusting(" , ").trusts(peer));
    EXPECT_FALSE(TrustedProxies().trusts(peer));
  }
}

TEST(TrustedProxies, RefusesAMemberThatNeverMatchesByName) {
  for (const char* member : {"localhost", "10.0.0.1/8", "10.0.0.*", "**", "UNIX", "[::1]"}) {
    const Result<TrustedProxies> proxies =
        TrustedProxies::parse("127.0.0.1," + std::string(member) + ", ::1");
    ASSERT_FALSE(proxies.ok()) << member;
    EXPECT_THAT(proxies.status().message(), HasSubstr('"' + std::string(member) + '"'));
  }
}

TEST(Forwarded, IsIgnoredFromStrangers) {
  const Headers headers = {{"x-forwarded-for", "192.0.2.1"},
                           {"x-forwarded-proto", "https"},
                           {"forwarded", "for=192.0.2.1;proto=https"}};
  EXPECT_EQ(seen("", headers), kUnchanged);
  EXPECT_EQ(seen("10.0.0.2, unix", headers), kUnchanged);
  EXPECT_EQ(seen("10.0.0.1", {}), kUnchanged);
}

TEST(Forwarded, TellsOfUnixPeersToo) {
  Request request;
  request.client = "unix";
  request.headers = {{"x-forwarded-for", "192.0.2.1"}};
  apply_forwarded(trusting("127.0.0.1"), request);
  EXPECT_EQ(request.client, "unix");
  apply_forwarded(trusting("unix"), request);
  EXPECT_EQ(request.client, "192.0.2.1:0");
}

TEST(XForwardedFor, IsTheRightmostAddressThatIsNotTrusted) {
  const auto client = [](std::string_view value) { return seen_by("x-forwarded-for", value); };
  EXPECT_EQ(client("192.0.2.1"), "192.0.2.1:0 http");
  EXPECT_EQ(client("8.8.8.8, 192.0.2.1"), "192.0.2.1:0 http");
  EXPECT_EQ(client("8.8.8.8, 192.0.2.1,10.0.0.7 , 10.9.9.9"), "192.0.2.1:0 http");
  EXPECT_EQ(client("192.0.2.1:47011"), "192.0.2.1:47011 http");
  EXPECT_EQ(client("2001:db8::1"), "[2001:db8::1]:0 http");
  EXPECT_EQ(client("[2001:db8::1]:47011"), "[2001:db8::1]:47011 http");
  EXPECT_EQ(client(", 192.0.2.1, ,"), "192.0.2.1:0 http");
}

TEST(XForwardedFor, IsTheLeftmostAddressWhenAllAreTrusted) {
  EXPECT_EQ(seen_by("x-forwarded-for", "10.0.0.3, 10.0.0.2"), "10.0.0.3:0 http");
  EXPECT_EQ(seen("*", {{"x-forwarded-for", "192.0.2.1, 192.0.2.2"}}), "192.0.2.1:0 http");
}

TEST(XForwardedFor, IsReadOverSeveralLines) {
  EXPECT_EQ(seen("10.0.0.1", {{"x-forwarded-for", "8.8.8.8"}, {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1:0 http");
}

TEST(XForwardedFor, ChangesNothingWhenMalformedAsFarAsItIsWalked) {
  for (const char* value :
       {"", ",", "garbage", "192.0.2.1 192.0.2.2", "unknown", "192.0.2.1:x",
        "192.0.2.1, garbage, 10.0.0.2", "localhost", "\"192.0.2.1", "<script>"}) {
    EXPECT_EQ(seen_by("x-forwarded-for", value), kUnchanged) << value;
  }
}

TEST(XForwardedFor, HidesNobodyBehindGarbageFurtherLeft) {
  EXPECT_EQ(seen_by("x-forwarded-for", "garbage, \", 192.0.2.1, 10.0.0.2"), "192.0.2.1:0 http");
}

TEST(XForwardedProto, IsHttpOrHttps) {
  const auto scheme = [](std::string_view value) { return seen_by("x-forwarded-proto", value); };
  EXPECT_EQ(scheme("https"), "10.0.0.1:1234 https");
  EXPECT_EQ(scheme("HTTPS"), "10.0.0.1:1234 https");
  for (const char* value : {"http", "", "wss", "javascript", "https, http", "https,"}) {
    EXPECT_EQ(scheme(value), kUnchanged) << value;
  }
  EXPECT_EQ(seen("*", {{"x-forwarded-proto", "https"}, {"x-forwarded-proto", "https"}}),
            kUnchanged);
}

TEST(Rfc7239, TellsClientAndScheme) {
  const auto client = [](std::string_view value) { return seen_by("forwarded", value); };
  EXPECT_EQ(client("for=192.0.2.43"), "192.0.2.43:0 http");
  EXPECT_EQ(client("For=\"[2001:db8:cafe::17]:4711\""), "[2001:db8:cafe::17]:4711 http");
  EXPECT_EQ(client("for=\"192.0.2.43:47011\";proto=https"), "192.0.2.43:47011 https");
  EXPECT_EQ(client("proto=HTTPS; by=203.0.113.43 ;\tFOR=192.0.2.60;"), "192.0.2.60:0 https");
  EXPECT_EQ(client("for=\"1\\92.0.2.43\""), "192.0.2.43:0 http");
  EXPECT_EQ(client("for=\"[2001:db8::1]:_obf\""), "[2001:db8::1]:0 http");
  EXPECT_EQ(client("for=192.0.2.1;proto=gopher"), "192.0.2.1:0 http");
  EXPECT_EQ(client("proto=https;by=_tls;x=\"a,b;c=\\\"d\\\\\""), "10.0.0.1:1234 https");
}

TEST(Rfc7239, IsTheElementWhereTrustEnds) {
  const auto client = [](std::string_view value) { return seen_by("forwarded", value); };
  EXPECT_EQ(client("for=8.8.8.8;proto=http, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"),
            "192.0.2.1:0 https");
  EXPECT_EQ(client("for=192.0.2.1;x=\"a, for=8.8.8.8;\\\", for=9.9.9.9\\\\\""), "192.0.2.1:0 http");
  EXPECT_EQ(client("for=10.0.0.9;proto=https, for=10.0.0.8"), "10.0.0.9:0 https");
  EXPECT_EQ(seen("10.0.0.1", {{"forwarded", "for=8.8.8.8"}, {"forwarded", "for=192.0.2.1"}}),
            "192.0.2.1:0 http");
}

TEST(Rfc7239, LeavesTheClientOfANodeWithoutAnAddress) {
  for (const char* node : {"unknown", "_hidden", "Unknown", "\"_SEVKISEK:80\"", "\"unknown:_p\""}) {
    const std::string element = "for=" + std::string(node) + ";proto=https";
    EXPECT_EQ(seen_by("forwarded", "for=8.8.8.8, " + element), "10.0.0.1:1234 https") << node;
  }
}

TEST(Rfc7239, IsIgnoredAsAWholeWhenMalformed) {
  for (const char* value : {"192.0.2.1",
                            "for=",
                            "for",
                            "=192.0.2.1",
                            "for=192.0.2.1:80",
                            "for=[::1]",
                            "for=\"2001:db8::1\"",
                            "for=\"192.0.2.1",
                            "for=\"192.0.2.1\\\"",
                            "for=192.0.2.1\"",
                            "for=192.0.2.1 proto=https",
                            "for=192.0.2.1;for=192.0.2.2",
                            "proto=https;proto=https",
                            "for =192.0.2.1",
                            "for= 192.0.2.1",
                            "for=\"\"",
                            "for=\":80\"",
                            "for=\"192.0.2.1:\"",
                            "for=\"_\"",
                            "for=\"_a b\"",
                            "for=_a^b",
                            "for=example",
                            "proto=https;for=\"[::1\"",
                            "proto=https;for=\"[::1]x\"",
                            "proto=https;=",
                            "garbage;for=192.0.2.1, for=10.0.0.2;proto=https"}) {
    EXPECT_EQ(seen_by("forwarded", value), kUnchanged) << value;
  }
}

TEST(Rfc7239, HidesNobodyBehindGarbageFurtherLeft) {
  for (const char* sent :
       {"\"", "for=\"", "for=\"\\", "x=\"a\\\"", "\\\"", ";;=,\"\"\"", "for=\"a, b"}) {
    for (const char* written :
         {"for=192.0.2.1", "for=\"192.0.2.1\"", "for=192.0.2.1;host=\"a,\\\"b\""}) {
      const std::string value = std::string(sent) + ", " + written;
      EXPECT_EQ(seen_by("forwarded", value), "192.0.2.1:0 http") << value;
    }
  }
}

TEST(Rfc7239, GivesWayToTheHeadersThatMostProxiesWrite) {
  EXPECT_EQ(seen("10.0.0.1",
                 {{"forwarded", "for=8.8.8.8;proto=https"}, {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1:0 http");
  EXPECT_EQ(seen("10.0.0.1", {{"forwarded", "for=8.8.8.8"}, {"x-forwarded-proto", "https"}}),
            "10.0.0.1:1234 https");
}

TEST(Forwarded, LeavesTheHostAlone) {
  Request request;
  request.client = "10.0.0.1:1234";
  request.headers = {
      {"host", "bento"}, {"x-forwarded-host", "evil"}, {"forwarded", "for=192.0.2.1;host=evil"}};
  apply_forwarded(trusting("*"), request);
  EXPECT_EQ(request.client, "192.0.2.1:0");
  EXPECT_EQ(find_header(request.headers, "host"), "bento");
}

}  // namespace
}  // namespace bentohost::http
