#include "http/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <vector>

#include "unit/http/client/client_fixture.h"

namespace bentohost::http {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// ---- what is sent and read -------------------------------------------------------------------

TEST_F(ClientTest, SendsTheRequestAndReadsTheResponse) {
  const LocalServer server;
  FetchRequest asked = request(server.url("/a?b=c#d"), "POST", "hello");
  asked.headers = {{"X-One", "1"}};
  const auto answer = send(std::move(asked));
  Peer peer = server.accept();
  const std::string head = peer.read_head();
  EXPECT_THAT(head, StartsWith("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" +
                               std::to_string(server.port()) + "\r\n"));
  EXPECT_THAT(head, AllOf(HasSubstr("X-One: 1\r\n"), HasSubstr("Content-Length: 5\r\n"),
                          HasSubstr("User-Agent: bentohost\r\n")));
  EXPECT_EQ(peer.read_until("hello"), "hello");
  peer.write(
      "HTTP/1.1 404 No\r\nContent-Type: text/x\r\nX-Request-Id: theirs\r\nDate: now\r\n"
      "Content-Length: 3\r\n\r\nno!");
  answer->wait();
  ASSERT_TRUE(answer->status().ok()) << answer->message();
  EXPECT_EQ(answer->code(), 404);
  EXPECT_EQ(answer->body(), "no!");
  EXPECT_EQ(answer->header("X-Request-Id"), "theirs");
  EXPECT_EQ(answer->header("Date"), "now");
  EXPECT_EQ(answer->header("Content-Type"), "text/x");
}

TEST_F(ClientTest, ReadsResponsesByteForByteInEachFraming) {
  const LocalServer server;
  const std::vector<std::pair<std::string, std::string>> responses = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "body"},
      {"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n",
       "body"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 301 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
  };
  std::optional<Peer> peer;
  for (const auto& [bytes, body] : responses) {
    const auto answer = get(server.url());
    if (!peer) peer.emplace(server.accept());
    peer->read_head();
    for (const char byte : bytes) peer->write({&byte, 1});
    if (body == "until the end") peer->close();
    answer->wait();
    EXPECT_TRUE(answer->status().ok()) << answer->message();
    EXPECT_EQ(answer->body(), body);
  }
}

TEST_F(ClientTest, KnowsThatAHeadResponseHasNoBody) {
  const LocalServer server;
  auto answer = get(server.url(), "HEAD");
  Peer peer = server.accept();
  peer.read_head();
  peer.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
  answer->wait();
  EXPECT_TRUE(answer->status().ok());
  EXPECT_EQ(answer->header("Content-Length"), "99");
  answer = get(server.url());
  EXPECT_THAT(peer.read_head(), StartsWith("GET"));  // the connection has stayed
  peer.write(kOk);
  EXPECT_EQ(answer->wait().code(), 200);
}

TEST_F(ClientTest, TakesAnAnswerThatComesBeforeAllOfTheBodyWasSent) {
  const LocalServer server;
  const auto answer = get(server.url(), "POST", std::string(32u << 20, 'x'));
  Peer peer = server.accept();
  peer.read_head();
  peer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(answer->wait().code(), 413);
  const auto next = get(server.url());
  Peer other = server.accept();  // not on a connection that is in the midst of a body
  other.read_head();
  other.write(kOk);
  EXPECT_EQ(next->wait().code(), 200);
}

TEST_F(ClientTest, RefusesWhatIsNoResponse) {
  const LocalServer server;
  for (const std::string bytes :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 200 OK\n\n"}) {
    const auto answer = get(server.url());
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    answer->wait();
    EXPECT_EQ(answer->status().code(), BENTO_UNAVAILABLE) << bytes;
    EXPECT_EQ(answer->status().http_status(), 502u);
    EXPECT_EQ(answer->kind(), "malformed");
    EXPECT_THAT(answer->message(),
                AllOf(StartsWith("http://127.0.0.1:"), HasSubstr(": the server")));
    EXPECT_TRUE(peer.is_at_end());
  }
}

TEST_F(ClientTest, TellsAnEndThatComesTooSoon) {
  const LocalServer server;
  for (const std::string bytes :
       {"", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"}) {
    const auto answer = get(server.url());
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    peer.close();
    answer->wait();
    EXPECT_EQ(answer->kind(), "broken") << bytes;
    EXPECT_THAT(answer->message(), HasSubstr("closed the connection before"));
  }
}

TEST_F(ClientTest, TakesNoResetForTheEndOfABody) {
  const LocalServer server;
  const auto answer = get(server.url());
  Peer peer = server.accept();
  peer.read_head();
  peer.write("HTTP/1.1 200 OK\r\n\r\nhalf of it");
  answer->wait_for_body(10);
  peer.reset();
  answer->wait();
  EXPECT_EQ(answer->kind(), "broken");
}

// ---- limits ----------------------------------------------------------------------------------

TEST_F(ClientTest, BoundsTheBodyHoweverItsLengthIsTold) {
  const LocalServer server;
  for (const std::string bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n",
        "HTTP/1.1 200 OK\r\n\r\n12345678901"}) {
    FetchRequest asked = request(server.url());
    asked.limits.max_body = 10;
    const auto answer = send(std::move(asked));
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    answer->wait();
    EXPECT_EQ(answer->status().code(), BENTO_RESOURCE_EXHAUSTED) << bytes;
    EXPECT_EQ(answer->kind(), "too_large");
    EXPECT_THAT(answer->message(), HasSubstr("larger than 10 bytes (max_response_bytes)"));
    EXPECT_TRUE(peer.is_at_end());
  }
}

TEST_F(ClientTest, EndsAtTheDeadlineAtEachStage) {
  const LocalServer server;
  for (const std::string bytes :
       {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour"}) {
    FetchRequest asked = request(server.url());
    asked.limits.deadline = clock_.now() + 100ms;
    asked.limits.late = "too late";
    const auto answer = send(std::move(asked));
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    answer->wait();
    EXPECT_EQ(answer->status().code(), BENTO_DEADLINE_EXCEEDED) << bytes;
    EXPECT_THAT(answer->message(), HasSubstr(": too late"));
    EXPECT_TRUE(peer.is_at_end());
  }
}

TEST_F(ClientTest, ReadsNoMoreThanItsUserHasRoomFor) {
  const LocalServer server;
  FetchRequest asked = request(server.url());
  auto answer = std::make_shared<Answer>();
  answer->set_room(1);
  const Client::Handle handle = client().start(std::move(asked), answer);
  Peer peer = server.accept();
  peer.read_head();
  const std::string body(64u << 20, 'x');
  peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  std::size_t sent = 0;
  while (peer.await(POLLOUT, 300)) sent += peer.write_at_once(std::string_view(body).substr(sent));
  EXPECT_LT(sent, body.size());  // what the kernel holds
  EXPECT_LE(answer->body().size(), 128u << 10);
  answer->set_room(body.size());
  handle.resume();
  peer.write(std::string_view(body).substr(sent));
  EXPECT_TRUE(answer->wait().status().ok());
  EXPECT_EQ(answer->body().size(), body.size());
}

// ---- connections -----------------------------------------------------------------------------

TEST_F(ClientTest, UsesAConnectionAgain) {
  const LocalServer server;
  Peer peer = [&] {
    const auto answer = get(server.url());
    Peer made = server.accept();
    made.read_head();
    made.write(kOk);
    answer->wait();
    return made;
  }();
  for (int i = 0; i < 3; ++i) {
    const auto answer = get(server.url());
    EXPECT_THAT(peer.read_head(), StartsWith("GET"));
    peer.write(kOk);
    EXPECT_EQ(answer->wait().body(), "ok");
  }
  EXPECT_FALSE(server.has_connection(0));
}

TEST_F(ClientTest, ClosesAConnectionThatShallNotBeUsedAgain) {
  const LocalServer server;
  for (const std::string bytes :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}) {
    const auto answer = get(server.url());
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    EXPECT_TRUE(answer->wait().status().ok());
    EXPECT_TRUE(peer.is_at_end()) << bytes;
  }
}

TEST_F(ClientTest, ClosesIdleConnectionsInTime) {
  const LocalServer server;
  client({.idle_timeout = 50ms});
  const auto answer = get(server.url());
  Peer peer = server.accept();
  peer.read_head();
  peer.write(kOk);
  answer->wait();
  EXPECT_TRUE(peer.is_at_end());
}

TEST_F(ClientTest, SendsAnIdempotentRequestOnceMoreWhenItsOldConnectionWasClosed) {
  const LocalServer server;
  const auto first = get(server.url());
  Peer peer = server.accept();
  peer.read_head();
  peer.write(kOk);
  first->wait();
  const auto second = get(server.url("/second"));
  peer.read_head();
  peer.close();  // before the first byte of a response
  Peer other = server.accept();
  EXPECT_THAT(other.read_head(), StartsWith("GET /second"));
  other.write(kOk);
  EXPECT_TRUE(second->wait().status().ok());
  const auto third = get(server.url());
  other.read_head();
  other.close();
  Peer last = server.accept();
  last.read_head();
  last.close();  // a new connection: not once more
  EXPECT_EQ(third->wait().kind(), "broken");
  EXPECT_FALSE(server.has_connection(0));
}

TEST_F(ClientTest, DoesNotRepeatAPost) {
  const LocalServer server;
  const auto first = get(server.url());
  Peer peer = server.accept();
  peer.read_head();
  peer.write(kOk);
  first->wait();
  const auto second = get(server.url(), "POST", "x");
  peer.read_until("\r\n\r\nx");
  peer.close();
  EXPECT_EQ(second->wait().kind(), "broken");
  EXPECT_FALSE(server.has_connection(0));
}

TEST_F(ClientTest, BoundsConnectionsAndThoseThatWait) {
  const LocalServer server;
  client({.max_connections = 1, .max_waiting = 2});
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 2; ++i) answers.push_back(get(server.url("/" + std::to_string(i))));
  Peer peer = server.accept();
  EXPECT_THAT(peer.read_head(), StartsWith("GET /0"));  // one has a connection, one waits
  answers.push_back(get(server.url("/2")));
  const auto refused = get(server.url("/3"));
  refused->wait();
  EXPECT_EQ(refused->status().code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused->status().http_status(), 503u);
  EXPECT_EQ(refused->kind(), "queue_full");
  EXPECT_FALSE(server.has_connection(0));
  for (int i = 0; i < 3; ++i) {
    if (i > 0) {
      EXPECT_THAT(peer.read_head(), StartsWith("GET /" + std::to_string(i)));
    }
    peer.write(kOk);
    EXPECT_TRUE(answers[static_cast<std::size_t>(i)]->wait().status().ok());
  }
}

TEST_F(ClientTest, SaysWhyThereIsNoConnection) {
  LocalServer server;
  const std::string url = server.url();
  server.close();
  const auto refused = get(url);
  EXPECT_EQ(refused->wait().message(),
            "http://127.0.0.1:" + std::to_string(server.port()) + ": connection refused");
  EXPECT_EQ(refused->status().http_status(), 502u);
  EXPECT_EQ(refused->kind(), "connect");
}

TEST_F(ClientTest, TriesAllAddressesInTurn) {
  LocalServer dead;
  const std::uint16_t dead_port = dead.port();
  dead.close();
  const LocalServer server;
  client({}, [&](const std::string& host, std::uint16_t) {
    EXPECT_EQ(host, "example.test");
    auto all = *numeric_address("127.0.0.1", dead_port);
    all.push_back((*numeric_address("127.0.0.1", server.port()))[0]);
    return Result<std::vector<SocketAddress>>(all);
  });
  const auto answer = get("http://Example.test/");
  Peer peer = server.accept();
  EXPECT_THAT(peer.read_head(), HasSubstr("Host: example.test\r\n"));
  peer.write(kOk);
  EXPECT_TRUE(answer->wait().status().ok());
}

TEST_F(ClientTest, TellsANameThatIsNotKnown) {
  client({}, [](const std::string&, std::uint16_t) {
    return Result<std::vector<SocketAddress>>(
        Status::with_http(502, BENTO_UNAVAILABLE, "no host of that name is known"));
  });
  const auto answer = get("http://nowhere.test/");
  EXPECT_EQ(answer->wait().message(), "http://nowhere.test:80: no host of that name is known");
}

TEST_F(ClientTest, BoundsTheTimeOfConnecting) {
  std::promise<void> hang;
  client({}, [&, future = hang.get_future().share()](const std::string&, std::uint16_t port) {
    future.wait();
    return numeric_address("127.0.0.1", port);
  });
  FetchRequest asked = request("http://slow.test/");
  asked.limits.connect_timeout = 50ms;
  const auto answer = send(std::move(asked));
  answer->wait();
  EXPECT_EQ(answer->status().code(), BENTO_DEADLINE_EXCEEDED);
  EXPECT_EQ(answer->message(), "http://slow.test:80: no connection within 0.05 s");
  hang.set_value();
}

// ---- given up --------------------------------------------------------------------------------

TEST_F(ClientTest, CanBeGivenUpWhileItsServerIsLookedFor) {
  std::promise<void> hang;
  client({}, [&, future = hang.get_future().share()](const std::string&, std::uint16_t port) {
    future.wait();
    return numeric_address("127.0.0.1", port);
  });
  const LocalServer server;
  const auto answer = get(server.url("/", "slow.test"));
  handle_.cancel();
  settle();
  hang.set_value();
  const auto other = get(server.url("/other", "slow.test"));
  Peer peer = server.accept();
  EXPECT_THAT(peer.read_head(), StartsWith("GET /other"));
  peer.write(kOk);
  EXPECT_TRUE(other->wait().status().ok());
  EXPECT_FALSE(answer->has_ended());
}

TEST_F(ClientTest, CanBeGivenUpAtEachStage) {
  const LocalServer server;
  for (const std::string bytes :
       {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour"}) {
    const auto answer = get(server.url());
    Peer peer = server.accept();
    peer.read_head();
    peer.write(bytes);
    if (bytes.ends_with("four")) answer->wait_for_body(4);
    handle_.cancel();
    EXPECT_TRUE(peer.is_at_end()) << bytes;
    settle();
    EXPECT_FALSE(answer->has_ended());
  }
}

TEST_F(ClientTest, GivesItsPlaceInTheQueueUp) {
  const LocalServer server;
  client({.max_connections = 1, .max_waiting = 2});
  const auto first = get(server.url("/first"));
  Peer peer = server.accept();
  peer.read_head();
  const auto second = get(server.url("/second"));
  handle_.cancel();
  const auto third = get(server.url("/third"));
  settle();
  peer.write(kOk);
  EXPECT_TRUE(first->wait().status().ok());
  EXPECT_THAT(peer.read_head(), StartsWith("GET /third"));
  peer.write(kOk);
  EXPECT_TRUE(third->wait().status().ok());
  EXPECT_FALSE(second->has_ended());
}

// ---- pure ------------------------------------------------------------------------------------

TEST(Url, IsTakenApart) {
  const auto url = *Url::parse("HTTPS://[::1]:8443/a?b#c");
  EXPECT_TRUE(url.is_tls && url.is_address);
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.origin(), "https://[::1]:8443");
  EXPECT_EQ(url.host_field(), "[::1]:8443");
  EXPECT_EQ(url.target, "/a?b");
  EXPECT_EQ((*Url::parse("http://Example.org?q")).target, "/?q");
  EXPECT_EQ((*Url::parse("http://Example.org")).host_field(), "example.org");
  EXPECT_EQ((*Url::parse("https://example.org:443/")).host_field(), "example.org");
}

TEST(Url, IsRefusedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "http://"},
      {"ftp://x/", "http://"},
      {"http://", "no host"},
      {"http://x y/", "blank"},
      {"http://x/\r\nEvil: 1", "control"},
      {"http://me:secret@x/", "user name"},
      {"http://[::1/", "without its ']'"},
      {"http://[::g]/", "no IPv6"},
      {"http://[127.0.0.1]/", "no IPv6"},
      {"http://[::1]x/", "':'"},
      {"http://x:0/", "port"},
      {"http://x:65536/", "port"},
      {"http://x:/", "port"},
      {"http://ex%41mple/", "character"},
      {"http://h\xc3\xa4/", "ASCII"},
  };
  for (const auto& [text, why] : bad) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.status().code(), BENTO_INVALID_ARGUMENT);
    EXPECT_THAT(url.status().message(), AllOf(StartsWith("URL \""), HasSubstr(why))) << text;
    EXPECT_THAT(url.status().message(), Not(HasSubstr("\n")));
  }
}

TEST(FetchRequest, IsRefusedIfItCannotBeSent) {
  FetchRequest request;
  request.url = *Url::parse("http://x/");
  EXPECT_TRUE(check(request).ok());
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "Connection", "TE",
                           "Expect", "Upgrade", "a b", "", "a:b"}) {
    request.headers = {{name, "1"}};
    EXPECT_EQ(check(request).code(), BENTO_INVALID_ARGUMENT) << name;
  }
  for (const char* value : {"a\r\nEvil: 1", "a\nb", "\x01"}) {
    request.headers = {{"X-A", value}};
    EXPECT_THAT(check(request).message(), HasSubstr("header X-A")) << value;
  }
  request.headers.clear();
  for (const char* method : {"", "GE T", "CONNECT", "GET / HTTP/1.1\r\n"}) {
    request.method = method;
    EXPECT_FALSE(check(request).ok()) << method;
  }
}

}  // namespace
}  // namespace bentohost::http
