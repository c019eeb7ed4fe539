#include "app/health_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "unit/http/test_server.h"

namespace bentohost::app {
namespace {

using namespace std::chrono_literals;
using http::Exchange;
using http::Response;
using http::TestServer;
using testing::HasSubstr;

std::string url_of(const TestServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port());
}

TEST(HealthClient, IsContentWithA2xx) {
  TestServer server;
  EXPECT_TRUE(check_health(url_of(server) + "/x", 5s, true).ok());
}

TEST(HealthClient, AsksForReadinessUnlessToldOtherwise) {
  TestServer server([](Exchange& exchange) {
    exchange.respond(Response::text(exchange.request().path == "/readyz" ? 204 : 404, ""));
  });
  EXPECT_TRUE(check_health(url_of(server), 5s, true).ok());
}

TEST(HealthClient, TellsWhatIsWrong) {
  TestServer server(
      [](Exchange& exchange) { exchange.respond(Response::text(503, "runner clf is starting")); });
  const Status status = check_health(url_of(server), 5s, true);
  EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(status.message(), HasSubstr("/readyz is 503: runner clf is starting"));
}

TEST(HealthClient, TellsThatNobodyAnswers) {
  std::string url;
  {
    TestServer server;
    url = url_of(server);
  }
  EXPECT_THAT(check_health(url, 5s, true).message(),
              HasSubstr("no answer from " + url + ": nothing listens there"));
}

TEST(HealthClient, DoesNotWaitForever) {
  std::atomic<Exchange*> asked = nullptr;
  TestServer server([&](Exchange& exchange) { asked = &exchange; });
  EXPECT_EQ(check_health(url_of(server), 100ms, true).code(), BENTO_UNAVAILABLE);
  while (asked == nullptr) std::this_thread::yield();
  asked.load()->respond(Response::text(200, "too late"));  // or the connection stays open
}

TEST(HealthClient, RefusesWhatIsNoUrl) {
  for (const char* url : {"", "127.0.0.1:3000", "ftp://x/"}) {
    EXPECT_EQ(check_health(url, 1s, true).code(), BENTO_INVALID_ARGUMENT) << url;
  }
}

}  // namespace
}  // namespace bentohost::app
