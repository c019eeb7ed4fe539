#include "http/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

Limits with_max_body(std::size_t max_body) {
  Limits limits;
  limits.max_body = max_body;
  return limits;
}

TEST(Server, AnswersWithLengthDateAndServer) {
  TestServer server;
  RawClient client(server.port());
  const Reply reply =
      client.ask("POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "POST /a?b=1 hello");
  EXPECT_TRUE(reply.has("Content-Length: 17"));
  EXPECT_TRUE(reply.has("Content-Type: text/plain; charset=utf-8"));
  EXPECT_TRUE(reply.has("Server: bentohost"));
  EXPECT_THAT(reply.head, HasSubstr("\r\nDate: "));
  EXPECT_THAT(reply.head, Not(HasSubstr("Keep-Alive")));
}

TEST(Server, TellsTheHandlerBothEndsAndTheHeaders) {
  std::mutex mutex;
  Request seen;
  TestServer server([&](Exchange& exchange) {
    const std::lock_guard lock(mutex);
    seen = exchange.request();
    exchange.respond(Response::text(200, ""));
  });
  RawClient client(server.port());
  client.ask("GET /a%2Fb?c HTTP/1.1\r\nHost: x\r\nREMOTE_ADDR: 1.2.3.4\r\n\r\n");
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.path, "/a/b");
  EXPECT_EQ(seen.query, "c");
  EXPECT_THAT(seen.client, testing::StartsWith("127.0.0.1:"));
  EXPECT_EQ(seen.server, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_NE(seen.arrived, TimePoint());
  ASSERT_EQ(seen.headers.size(), 2u);
  EXPECT_EQ(seen.headers[1].name, "remote_addr");
}

TEST(Server, KeepsAConnectionForAnyNumberOfRequests) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 300; ++i) ASSERT_EQ(client.ask(kGet).status, 200) << i;
}

// Also behind a pipelined request, and with a response in pieces.
TEST(Server, SendsTheRequestIdOfEachResponseAndOfNoOther) {
  const auto handler = [](Exchange& exchange) {
    const Request& request = exchange.request();
    if (request.path != "/none") exchange.set_request_id(request.path.substr(1));
    exchange.respond(Response::text(200, request.path));
  };
  TestServer server(handler);
  RawClient client(server.port());
  client.send(
      "GET /a-long_id.1234567890 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.reply().has("X-Request-Id: a-long_id.1234567890"));
  EXPECT_THAT(client.reply().head, Not(HasSubstr("X-Request-Id")));
  EXPECT_TRUE(client.reply().has("X-Request-Id: 2"));
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
      "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.reply().body, "GET /1 ");
  EXPECT_EQ(client.reply().body, "POST /2 ab");
  EXPECT_EQ(client.reply().body, "POST /3 cd");
  EXPECT_EQ(client.reply().body, "GET /4 ");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, DoesNotRunTheBodyOfAGetAsARequest) {
  TestServer server;
  RawClient client(server.port());
  const std::string inner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send("GET /outer HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(inner.size()) +
              "\r\n\r\n" + inner);
  EXPECT_EQ(client.reply().body, "GET /outer " + inner);
  EXPECT_EQ(client.ask(kGet).body, "GET /a ");
}

TEST(Server, TakesARequestThatArrivesByteByByte) {
  TestServer server;
  RawClient client(server.port());
  const std::string bytes =
      "POST /s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char c : bytes) client.send(std::string_view(&c, 1));
  EXPECT_EQ(client.reply().body, "POST /s abc");
}

TEST(Server, CarriesLargeBodiesBothWays) {
  TestServer server;
  RawClient client(server.port());
  const std::string body(3'000'000, 'x');
  std::thread sender([&] {
    client.send("PUT /l HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
  });
  const Reply reply = client.reply();
  sender.join();
  EXPECT_EQ(reply.body, "PUT /l " + body);
}

TEST(Server, AsksForABodyThatIsExpectedToBeAskedFor) {
  TestServer server(echo, with_max_body(10));
  RawClient client(server.port());
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ";
  EXPECT_EQ(client.ask(head + "2\r\n\r\n").status, 100);
  EXPECT_EQ(client.ask("ab").body, "POST / ab");
  EXPECT_EQ(client.ask(head + "11\r\n\r\n").status, 413);
}

TEST(Server, AnswersHeadWithTheLengthAndNoBody) {
  TestServer server;
  RawClient client(server.port());
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const Reply reply = client.reply(/*of_head=*/true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("Content-Length: 8"));
  EXPECT_EQ(client.ask(kGet).body, "GET /a ");
}

TEST(Server, SendsNoLengthWithA204) {
  TestServer server([](Exchange& exchange) { exchange.respond(Response::text(204, "ignored")); });
  RawClient client(server.port());
  EXPECT_THAT(client.ask(kGet).head, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(client.ask(kGet).status, 204);
}

TEST(Server, ClosesAfterHttp10UnlessAskedToStay) {
  TestServer server;
  RawClient leaving(server.port());
  EXPECT_TRUE(leaving.ask("GET /a HTTP/1.0\r\n\r\n").has("Connection: close"));
  EXPECT_TRUE(leaving.at_end());
  RawClient staying(server.port());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(staying.ask("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                    .has("Connection: keep-alive"));
  }
}

TEST(Server, ClosesWhenTheHandlerSaysSo) {
  TestServer server([](Exchange& exchange) {
    Response response = Response::text(200, "bye");
    response.close = true;
    exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  EXPECT_TRUE(client.ask(kGet).has("Connection: close"));
  EXPECT_TRUE(client.at_end());
}

TEST(Server, RefusesABodyBeyondTheLimitByItsLength) {
  TestServer server(echo, with_max_body(10));
  RawClient client(server.port());
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789").status,
            200);
  const Reply reply = client.ask("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(reply.status, 413);
  EXPECT_TRUE(reply.has("Content-Type: application/problem+json"));
  EXPECT_TRUE(reply.has("Connection: close"));
  EXPECT_THAT(reply.body, HasSubstr(R"("instance":"/b")"));
  EXPECT_TRUE(client.at_end());
  EXPECT_THAT(server.refused(), ElementsAre(TestServer::Refused{"POST", "/b", 413}));
}

TEST(Server, RefusesABodyBeyondTheLimitByItsChunks) {
  TestServer server(echo, with_max_body(10));
  RawClient client(server.port());
  const Reply reply = client.ask(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n");
  EXPECT_EQ(reply.status, 413);
  EXPECT_TRUE(client.at_end());
}

TEST(Server, LetsTheClientReadTheRefusalOfABodyThatItIsStillSending) {
  TestServer server(echo, with_max_body(10));
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" +
              std::string(500'000, 'x'));
  client.end_sending();
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_TRUE(client.at_end());
}

TEST(Server, RefusesAHeadThatDoesNotArriveInTimeHoweverItDrips) {
  Limits limits;
  limits.header_timeout = milliseconds(50);
  TestServer server(echo, limits);
  RawClient client(server.port());
  client.send("GET /");
  while (!client.has_arrived(milliseconds(5))) client.send("a");  // each single byte is in time
  EXPECT_EQ(client.reply().status, 408);
  EXPECT_THAT(server.reasons(), ElementsAre("header_timeout"));
}

TEST(Server, RefusesABodyThatDoesNotArriveInTime) {
  Limits limits;
  limits.body_timeout = milliseconds(50);
  TestServer server(echo, limits);
  RawClient client(server.port());
  EXPECT_EQ(client.ask("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab").status, 408);
  EXPECT_TRUE(client.at_end());
  EXPECT_THAT(server.refused(), ElementsAre(TestServer::Refused{"POST", "/b", 408}));
  EXPECT_THAT(server.reasons(), ElementsAre("body_timeout"));
}

TEST(Server, CutsOffAClientThatDoesNotReadItsResponse) {
  Limits limits;
  limits.write_timeout = milliseconds(50);
  TestServer server(
      [](Exchange& exchange) {
        exchange.respond(Response::text(200, std::string(32u << 20, 'x')));
      },
      limits);
  RawClient client(server.port());
  client.send(kGet);
  while (server.reasons().empty()) std::this_thread::yield();
  EXPECT_THAT(server.reasons(), ElementsAre("write_timeout"));
}

TEST(Server, ClosesAConnectionThatIsIdleForTooLong) {
  Limits limits;
  limits.idle_timeout = milliseconds(50);
  TestServer server(echo, limits);
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kGet).status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST(Server, ClosesAConnectionAfterItsShareOfRequests) {
  Limits limits;
  limits.max_requests = 2;
  TestServer server(echo, limits);
  RawClient client(server.port());
  EXPECT_FALSE(client.ask(kGet).has("Connection: close"));
  EXPECT_TRUE(client.ask(kGet).has("Connection: close"));
  EXPECT_TRUE(client.at_end());
}

TEST(Server, KeepsFurtherConnectionsWaitingWhileThereAreTooMany) {
  Limits limits;
  limits.max_connections = 1;
  TestServer server(echo, limits);
  auto first = std::make_unique<RawClient>(server.port());
  EXPECT_EQ(first->ask(kGet).status, 200);
  RawClient second(server.port());
  second.send(kGet);
  EXPECT_EQ(first->ask(kGet).status, 200);
  EXPECT_EQ(server->open_connections(), 1u);
  first.reset();
  EXPECT_EQ(second.reply().status, 200);
}

TEST(Server, SendsAwayAClientWithTooManyConnections) {
  Limits limits;
  limits.max_connections_per_client = 2;
  TestServer server(echo, limits);
  RawClient a(server.port());
  auto b = std::make_unique<RawClient>(server.port());
  EXPECT_EQ(a.ask(kGet).status, 200);
  EXPECT_EQ(b->ask(kGet).status, 200);
  RawClient c(server.port());
  EXPECT_EQ(c.reply().status, 503);
  EXPECT_THAT(server.reasons(), ElementsAre("client_connections"));
  b.reset();
  while (server->open_connections() > 1) std::this_thread::yield();
  EXPECT_EQ(RawClient(server.port()).ask(kGet).status, 200);
}

TEST(Server, RefusesATruncatedBody) {
  TestServer server;
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  client.end_sending();
  EXPECT_EQ(client.reply().status, 400);
}

TEST(Server, NeverKeepsAConnectionAfterABadHead) {
  TestServer server;
  const std::vector<std::pair<std::string, int>> cases = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n", 400},
      {"nonsense\r\n\r\n", 400},
      {"GET /" + std::string(10'000, 'a'), 414},
      {"GET / HTTP/1.1\r\nA: " + std::string(70'000, 'a'), 431},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
  };
  for (const auto& [head, status] : cases) {
    RawClient client(server.port());
    EXPECT_EQ(client.ask(head + std::string(kGet)).status, status) << head.substr(0, 60);
    EXPECT_TRUE(client.at_end()) << head.substr(0, 60);
  }
  EXPECT_EQ(server.refused().size(), cases.size());
}

TEST(Server, DoesNotReportThePreviousRequestAsTheRefusedOne) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kGet).status, 200);
  EXPECT_EQ(client.ask("\n").status, 400);
  EXPECT_THAT(server.refused(), ElementsAre(TestServer::Refused{"", "", 400}));
}

TEST(Server, DoesNotTakeAnUnfinishedRequestForThePreviousOne) {
  Limits limits;
  limits.header_timeout = milliseconds(50);
  TestServer server(echo, limits);
  for (const bool ends : {true, false}) {
    RawClient client(server.port());
    client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.reply(/*of_head=*/true).status, 200);
    client.send("GET");
    if (ends) client.end_sending();
    const Reply reply = client.reply();
    EXPECT_EQ(reply.status, ends ? 400 : 408);
    EXPECT_THAT(reply.body, HasSubstr("detail"));
  }
  EXPECT_THAT(server.refused(),
              ElementsAre(TestServer::Refused{"", "", 400}, TestServer::Refused{"", "", 408}));
}

TEST(Server, DoesNotReportThePreviousRequestsClientAsTheRefusedOne) {
  const auto proxies = TrustedProxies::parse("127.0.0.1");
  ASSERT_TRUE(proxies.ok());
  TestServer server(
      echo, {}, [](const Request&) { return BodyPlan(); }, *proxies);
  RawClient client(server.port());
  EXPECT_EQ(client.ask("GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n").status,
            200);
  EXPECT_EQ(client.ask("\n").status, 400);
  EXPECT_THAT(server.refused_clients(), ElementsAre(StartsWith("127.0.0.1:")));
}

TEST(Server, DropsAResponseWhoseHeadersWouldSplitIt) {
  for (const Header& header : {Header{"A", "1\r\nB: 2"}, Header{"A", std::string("\0", 1)},
                               Header{"A b", "1"}, Header{"", "1"}}) {
    TestServer server([&header](Exchange& exchange) {
      Response response = Response::text(200, "secret");
      response.headers.push_back(header);
      exchange.respond(std::move(response));
    });
    RawClient client(server.port());
    const Reply reply = client.ask(kGet);
    EXPECT_EQ(reply.status, 500);
    EXPECT_THAT(reply.head, Not(HasSubstr("B: 2")));
    EXPECT_THAT(reply.body, Not(HasSubstr("secret")));
  }
}

TEST(Server, KeepsRepeatedHeadersAndItsOwnFraming) {
  TestServer server([](Exchange& exchange) {
    Response response = Response::text(200, "four");
    response.headers = {{"Set-Cookie", "a"}, {"Set-Cookie", "b"}, {"content-length", "1"}};
    exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  const Reply reply = client.ask(kGet);
  EXPECT_THAT(reply.head, HasSubstr("Set-Cookie: a\r\nSet-Cookie: b\r\n"));
  EXPECT_THAT(reply.head, Not(HasSubstr("content-length")));
  EXPECT_EQ(reply.body, "four");
}

TEST(Server, ServesTwoHundredConnectionsSideBySide) {
  TestServer server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->send(kGet);
  }
  for (int round = 0; round < 3; ++round) {
    for (auto& client : clients) {
      ASSERT_EQ(client->reply().status, 200);
      client->send(kGet);
    }
  }
}

}  // namespace
}  // namespace bentohost::http
