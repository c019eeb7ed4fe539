#include "service/operator_check.h"

#include <gtest/gtest.h>

namespace bentohost::service {
namespace {

bool passes(http::Headers headers, std::string server = "127.0.0.1:9090") {
  http::Request request;
  request.headers = std::move(headers);
  request.server = std::move(server);
  return check_operator(request, {"metrics.example"}).ok();
}

TEST(OperatorCheck, TakesAddressesLocalhostAndNamesThatItWasTold) {
  for (const char* host : {"127.0.0.1:9090", "10.1.2.3", "[::1]:9090", "[::1]", "localhost",
                           "LocalHost:1", "metrics.example", "METRICS.example:80", ""}) {
    EXPECT_TRUE(passes({{"host", host}})) << host;
  }
  EXPECT_TRUE(passes({})) << "HTTP/1.0 needs none";
}

TEST(OperatorCheck, RefusesNamesThatAPageMayHave) {
  for (const char* host : {"evil.example", "evil.example:9090", "127.0.0.1.evil.example",
                           "2130706433", "localhost.evil.example", "[evil.example]"}) {
    EXPECT_FALSE(passes({{"host", host}})) << host;
    EXPECT_TRUE(passes({{"host", host}}, "unix:/run/admin.sock")) << "no page comes there";
  }
}

TEST(OperatorCheck, RefusesPagesOfOtherOrigins) {
  const http::Header host{"host", "127.0.0.1:9090"};
  EXPECT_TRUE(passes({host, {"origin", "http://127.0.0.1:9090"}}));
  for (const char* origin : {"http://evil.example", "null", "", "http://127.0.0.1:3000",
                             "127.0.0.1:9090", "http://127.0.0.1:9090.evil.example"}) {
    EXPECT_FALSE(passes({host, {"origin", origin}})) << origin;
  }
}

}  // namespace
}  // namespace bentohost::service
