// What a healthy app's requests and responses look like on both sides of the proxy.
#include "proxy_fixture.h"

namespace bentohost::upstream {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Proxy = ProxyTest;

TEST_F(Proxy, PassesAGetAndItsWholeResponseOn) {
  const auto client = get("/p/x?y=%20");
  ServerEnd end = accept();
  EXPECT_THAT(end.take(), StartsWith("GET /x?y=%20 HTTP/1.1\r\nhost: example.com\r\n"));
  send(end,
       "HTTP/1.1 404 Not Found\r\nServer: app\r\nDate: now\r\nContent-Type: text/plain\r\n"
       "X-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\nnone");
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->response->status, 404);
  EXPECT_EQ(client->response->content_type, "text/plain");
  ASSERT_EQ(client->response->headers.size(), 2u);
  EXPECT_EQ(client->response->headers[1].value, "2");
  EXPECT_EQ(client->got, "none");
  EXPECT_THAT(outcomes, ElementsAre("answered"));
  EXPECT_EQ(upstream->served(server), 1u);
  EXPECT_EQ(upstream->in_flight(), 0u);
}

TEST_F(Proxy, SendsAWholeBodyWithItsLength) {
  const auto client = post("a=1");
  ServerEnd end = accept();
  const std::string request = end.take();
  EXPECT_THAT(request, HasSubstr("\r\ncontent-length: 3\r\n\r\na=1"));
  send(end, kOk);
  EXPECT_EQ(client->got, "ok");
}

TEST_F(Proxy, KeepsAConnectionForTheNextRequest) {
  const auto first = get();
  ServerEnd end = accept_request();
  send(end, kOk);
  const auto second = get("/p/second");
  EXPECT_FALSE(has_connection());
  EXPECT_THAT(end.take(), StartsWith("GET /second "));
  send(end, kOk);
  EXPECT_EQ(second->end, "answered");
  EXPECT_EQ(upstream->connections(), 1u);
}

TEST_F(Proxy, SendsARequestNeverBehindAnotherOne) {
  const auto first = get();
  const auto second = get();
  ServerEnd a = accept_request();
  ServerEnd b = accept_request();
  EXPECT_EQ(a.take(), "");
  send(b, kOk);
  EXPECT_EQ(second->end, "answered");
  EXPECT_EQ(first->end, "");
  send(a, kOk);
  EXPECT_EQ(first->end, "answered");
}

TEST_F(Proxy, ClosesAConnectionThatWasIdleForAMinute) {
  get();
  ServerEnd end = accept_request();
  send(end, kOk);
  advance(std::chrono::seconds(59));
  EXPECT_FALSE(end.is_closed());
  advance(std::chrono::seconds(2));
  EXPECT_TRUE(end.is_closed());
  EXPECT_EQ(upstream->connections(), 0u);
}

TEST_F(Proxy, StreamsAnUploadWithTheClientsLength) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  client->from.headers.push_back({"content-length", "6"});
  begin(client);
  ServerEnd end = accept();
  EXPECT_THAT(end.take(), HasSubstr("content-length: 6\r\n"));
  client->send("abc", true);
  EXPECT_EQ(end.take(), "abc");
  client->send("def", false);
  EXPECT_EQ(end.take(), "def");
  send(end, kOk);
  EXPECT_EQ(client->end, "answered");
  EXPECT_FALSE(end.is_closed());
}

TEST_F(Proxy, StreamsAnUploadOfUnknownLengthInChunks) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  client->from.headers.push_back({"transfer-encoding", "chunked"});
  begin(client);
  ServerEnd end = accept();
  EXPECT_THAT(end.take(), HasSubstr("\r\ntransfer-encoding: chunked\r\n\r\n"));
  client->send("hello", true);
  client->send("", false);
  EXPECT_EQ(end.take(), "5\r\nhello\r\n0\r\n\r\n");
  send(end, kOk);
  EXPECT_EQ(client->end, "answered");
}

TEST_F(Proxy, PassesServerSentEventsAtOnce) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end,
       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(client->is_streamed);
  EXPECT_EQ(client->response->content_type, "text/event-stream");
  send(end, "9\r\ndata: 1\n\n\r\n");
  EXPECT_EQ(client->got, "data: 1\n\n");
  send(end, "9\r\ndata: 2\n\n\r\n");
  EXPECT_EQ(client->got, "data: 1\n\ndata: 2\n\n");
  EXPECT_EQ(client->end, "");
  send(end, "0\r\n\r\n");
  EXPECT_EQ(client->end, "ended");
  EXPECT_FALSE(end.is_closed());
}

TEST_F(Proxy, AnswersWholeIfAShortBodyFollowsItsHeadAtOnce) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  EXPECT_FALSE(client->is_streamed);
  send(end, "ok");
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->got, "ok");
}

TEST_F(Proxy, StreamsAShortBodyThatKeepsItsClientWaiting) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
  advance(std::chrono::milliseconds(6));
  EXPECT_TRUE(client->is_streamed);
  EXPECT_EQ(client->got, "o");
  EXPECT_EQ(client->header("Content-Length"), "2");
  send(end, "k");
  EXPECT_EQ(client->end, "ended");
  EXPECT_EQ(client->got, "ok");
}

TEST_F(Proxy, TellsTheLengthOfAHeadResponse) {
  const auto client = make("HEAD");
  begin(client);
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(client->end, "ended");
  EXPECT_EQ(client->header("Content-Length"), "1000");
  EXPECT_EQ(client->got, "");
  EXPECT_FALSE(end.is_closed());
}

TEST_F(Proxy, NotModifiedHasNoBodyWhateverItsLengthSays) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n");
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->response->status, 304);
  get();
  EXPECT_FALSE(has_connection()) << "the connection is kept";
}

TEST_F(Proxy, SkipsInterimResponses) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  EXPECT_EQ(client->end, "");
  send(end, "HTTP/1.1 100 Continue\r\n\r\n" + kOk);
  EXPECT_EQ(client->response->status, 200);
  EXPECT_EQ(client->response->headers.size(), 0u);
}

TEST_F(Proxy, DropsTrailers) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n"
       "0\r\nX-T: 1\r\n\r\n");
  EXPECT_EQ(client->got, "ok");
  EXPECT_EQ(client->response->headers.size(), 0u);
  EXPECT_FALSE(end.is_closed());
}

TEST_F(Proxy, ReadsAResponseToTheConnectionsEnd) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.0 200 OK\r\n\r\nall");
  EXPECT_EQ(client->got, "all");
  EXPECT_EQ(client->end, "");
  end.close();
  turn();
  EXPECT_EQ(client->end, "ended");
}

TEST_F(Proxy, PrefixesCookiePathsIfItShould) {
  options.prefixes_cookies = true;
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Path=/\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client->header("Set-Cookie"), "s=1; Path=/p");
}

// ---- back-pressure

TEST_F(Proxy, ASlowClientHoldsTheServerBack) {
  const auto client = get();
  client->full_at = 100'000;
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
  const std::string piece(64u << 10, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    sent += end.send_some(piece);
    turn();
  }
  // What the client takes, one read more, and what the socket holds.
  EXPECT_LT(client->got.size(), 300'000u);
  EXPECT_LT(sent, 2'000'000u);
  const std::size_t before = client->got.size();
  client->drain();
  turn();
  EXPECT_GT(client->got.size(), before);
  advance(std::chrono::seconds(61));
  EXPECT_EQ(client->end, "") << "a client's pause is not the app's";
}

TEST_F(Proxy, AServerThatReadsNothingHoldsTheClientBack) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  begin(client);
  for (int i = 0; i < 100; ++i) client->pieces.push_back({std::string(64u << 10, 'x'), true});
  client->events->on_body();
  turn();
  const std::size_t left = client->pieces.size();
  EXPECT_GT(left, 80u) << "no more was taken than the socket holds";
  ServerEnd end = accept();
  std::size_t got = 0;
  for (int i = 0; i < 1000; ++i) {
    got += end.take().size();
    turn();
  }
  EXPECT_EQ(client->pieces.size(), 0u);
  EXPECT_GT(got, 100u * (64u << 10));
}

TEST_F(Proxy, SendsAndReadsSideBySide) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  begin(client);
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  EXPECT_EQ(client->got, "a");
  client->send("echo", true);
  EXPECT_EQ(end.take(), "4\r\necho\r\n");
  send(end, "4\r\necho\r\n");
  EXPECT_EQ(client->got, "aecho");
  client->send("", false);
  send(end, "0\r\n\r\n");
  EXPECT_EQ(client->end, "ended");
  EXPECT_FALSE(end.is_closed()) << "the request was sent whole: the connection is kept";
}

// ---- tunnels

class Tunnel : public ProxyTest {
 protected:
  Tunnel() { options.limits.tunnel_timeout = std::chrono::seconds(10); }

  std::shared_ptr<FakeDownstream> upgrade() {
    auto client = make();
    client->from.headers.push_back({"connection", "keep-alive, Upgrade"});
    client->from.headers.push_back({"upgrade", "WebSocket"});
    client->from.headers.push_back({"sec-websocket-key", "k"});
    begin(client);
    return client;
  }
  const std::string kSwitch =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: a\r\n\r\n";
};

TEST_F(Tunnel, MovesBytesBothWays) {
  const auto client = upgrade();
  ServerEnd end = accept();
  EXPECT_THAT(end.take(), HasSubstr("connection: Upgrade\r\nupgrade: websocket\r\n\r\n"));
  send(end, kSwitch + "first");
  EXPECT_EQ(client->response->status, 101);
  EXPECT_EQ(client->header("Upgrade"), "websocket");
  EXPECT_EQ(client->header("Sec-WebSocket-Accept"), "a");
  EXPECT_EQ(client->got, "first");
  client->send("ping", true);
  EXPECT_EQ(end.take(), "ping");
  send(end, "pong");
  EXPECT_EQ(client->got, "firstpong");
  advance(std::chrono::seconds(9));
  client->send("again", true);
  advance(std::chrono::seconds(9));
  EXPECT_EQ(client->end, "");
  end.close();
  turn();
  EXPECT_EQ(client->end, "ended");
  EXPECT_EQ(upstream->connections(), 0u);
}

TEST_F(Tunnel, EndsWithoutTraffic) {
  const auto client = upgrade();
  ServerEnd end = accept_request();
  send(end, kSwitch);
  advance(std::chrono::seconds(11));
  EXPECT_EQ(client->end, "aborted");
  EXPECT_TRUE(end.is_closed());
}

TEST_F(Tunnel, LetsTheAppSayGoodbyeToAClientThatEnds) {
  const auto client = upgrade();
  ServerEnd end = accept_request();
  send(end, kSwitch);
  client->send("close", false);
  EXPECT_EQ(end.take(), "close");
  send(end, "close back");
  EXPECT_EQ(client->got, "close back");
  EXPECT_EQ(client->end, "");
  advance(std::chrono::milliseconds(1100));
  EXPECT_EQ(client->end, "ended");
  EXPECT_TRUE(end.is_closed());
}

TEST_F(Tunnel, AnyOtherStatusIsAnOrdinaryResponse) {
  const auto client = upgrade();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->response->status, 403);
  EXPECT_FALSE(end.is_closed());
}

TEST_F(Tunnel, ASwitchThatNobodyAskedForIsMalformed) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, kSwitch);
  EXPECT_EQ(client->why.http_status(), 502u);
  EXPECT_TRUE(end.is_closed());
}

TEST_F(Tunnel, AClientThatIsGoneClosesIt) {
  const auto client = upgrade();
  ServerEnd end = accept_request();
  send(end, kSwitch);
  client->go();
  EXPECT_EQ(client->end, "aborted");
  EXPECT_TRUE(end.is_closed());
}

}  // namespace
}  // namespace bentohost::upstream
