#include "http/parse/ip_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

using ::testing::HasSubstr;

std::string endpoint(std::string_view text) {
  const std::optional<IpEndpoint> parsed = IpEndpoint::parse(text);
  return parsed ? parsed->text() : "";
}

bool contains(std::string_view network, std::string_view address) {
  const Result<IpNetwork> parsed = IpNetwork::parse(network);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() && parsed->contains(*IpAddress::parse(address));
}

TEST(IpEndpoint, HasManyFormsAndOneText) {
  EXPECT_EQ(endpoint("192.0.2.1"), "192.0.2.1:0");
  EXPECT_EQ(endpoint("192.0.2.1:80"), "192.0.2.1:80");
  EXPECT_EQ(endpoint("2001:DB8:0:0::1"), "[2001:db8::1]:0");
  EXPECT_EQ(endpoint("[2001:db8::1]"), "[2001:db8::1]:0");
  EXPECT_EQ(endpoint("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
  EXPECT_EQ(endpoint("[::ffff:192.0.2.1]:80"), "192.0.2.1:80");
  EXPECT_EQ(endpoint("::"), "[::]:0");
}

TEST(IpEndpoint, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "a",
                           "192.0.2",
                           "192.0.2.256",
                           "192.0.02.1",
                           "0x7f.0.0.1",
                           "192.0.2.1:",
                           "192.0.2.1:-1",
                           "192.0.2.1:+1",
                           "192.0.2.1:65536",
                           "192.0.2.1:a",
                           " 192.0.2.1",
                           "192.0.2.1 ",
                           "[192.0.2.1]",
                           "[::1",
                           "::1]",
                           "[::1]80",
                           "[::1]:",
                           "[]",
                           "[]:80",
                           "fe80::1%eth0",
                           "[fe80::1%eth0]",
                           ":80",
                           "1:2:3:4:5:6:7:8:9",
                           "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
                           "localhost:80"}) {
    EXPECT_EQ(endpoint(text), "") << text;
  }
  EXPECT_EQ(endpoint(std::string_view("192.0.2.1\0", 10)), "");
}

TEST(IpNetwork, ContainsTheAddressesOfItsPrefix) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.128"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1", "192.0.2.0"));
  EXPECT_TRUE(contains("192.0.2.1/32", "192.0.2.1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(IpNetwork, KeepsTheFamiliesApart) {
  EXPECT_TRUE(contains("0.0.0.0/0", "192.0.2.1"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
  EXPECT_FALSE(contains("::/0", "192.0.2.1"));
}

TEST(IpNetwork, TakesMappedAddressesForIpv4) {
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(contains("::ffff:10.0.0.0/104", "11.1.2.3"));
}

TEST(IpNetwork, RefusesWhatIsNoneByName) {
  for (const char* text :
       {"", "a.example", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8 ", "::/129",
        "10.0.0.1/8", "2001:db8::1/64", "10.0.0.0/255.0.0.0", "[::1]", "127.0.0.1:80"}) {
    const Result<IpNetwork> parsed = IpNetwork::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(parsed.status().message(), HasSubstr('"' + std::string(text) + '"'));
  }
}

}  // namespace
}  // namespace bentohost::http
