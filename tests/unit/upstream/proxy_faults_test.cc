// What the proxy does about apps and clients that fail, are too slow, or say what they must not.
#include "proxy_fixture.h"

namespace bentohost::upstream {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ProxyFaults : public ProxyTest {
 protected:
  ProxyFaults() {
    options.limits.connect_timeout = std::chrono::seconds(2);
    options.limits.send_timeout = std::chrono::seconds(3);
    options.limits.read_timeout = std::chrono::seconds(4);
  }
  // A connection in the pool that has carried a request.
  ServerEnd pooled() {
    get();
    ServerEnd end = accept_request();
    send(end, kOk);
    outcomes.clear();
    return end;
  }
};

void expect_bad_gateway(const FakeDownstream& client) {
  EXPECT_EQ(client.end, "failed");
  EXPECT_EQ(client.why.http_status(), 502u) << client.why.message();
}

// ---- nonsense

TEST_F(ProxyFaults, MalformedResponsesAreBadGateways) {
  for (const std::string_view bytes :
       {"hello\r\n", "\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nA: 1\r\n b\r\n\r\n", "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n"}) {
    SCOPED_TRACE(bytes);
    const auto client = get();
    ServerEnd end = accept_request();
    send(end, bytes);
    expect_bad_gateway(*client);
    EXPECT_TRUE(end.is_closed());
  }
  EXPECT_EQ(retries, 0);
  EXPECT_EQ(upstream->connections(), 0u);
}

TEST_F(ProxyFaults, AHugeHeadIsABadGatewayAndALargeOneIsNot) {
  const auto large = get();
  ServerEnd end = accept_request();
  send(end,
       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Large: " + std::string(60'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(large->header("X-Large").size(), 60'000u);
  const auto huge = get();
  EXPECT_THAT(end.take(), StartsWith("GET"));
  send(end, "HTTP/1.1 200 OK\r\nX-Huge: " + std::string(70'000, 'x') + "\r\n\r\n");
  expect_bad_gateway(*huge);
}

TEST_F(ProxyFaults, BytesBehindAResponseDropTheConnection) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, kOk + "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(client->got, "ok");
  EXPECT_EQ(client->end, "answered");
  EXPECT_TRUE(end.is_closed());
}

TEST_F(ProxyFaults, BytesOnAnIdleConnectionDropIt) {
  ServerEnd end = pooled();
  send(end, kOk);
  EXPECT_TRUE(end.is_closed());
}

TEST_F(ProxyFaults, BytesThatCameJustNowAreNoResponseToTheNextRequest) {
  ServerEnd end = pooled();
  end.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");  // no turn of the loop yet
  const auto client = get();
  ServerEnd fresh = accept_request();
  send(fresh, kOk);
  EXPECT_EQ(client->response->status, 200);
}

TEST_F(ProxyFaults, LengthBesideChunksIsDroppedAndTheConnectionToo) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end,
       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
       "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(client->got, "hello");
  EXPECT_EQ(client->header("Content-Length"), "");
  EXPECT_TRUE(end.is_closed());
}

// ---- deaths

TEST_F(ProxyFaults, AServerThatClosesAtAnyByteOfAResponse) {
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello";
  const std::size_t head = response.size() - 5;
  for (std::size_t size = 1; size < response.size(); ++size) {
    SCOPED_TRACE(size);
    const auto client = get();
    ServerEnd end = accept_request();
    send(end, response.substr(0, size));
    if (size > head) advance(std::chrono::milliseconds(6));  // the response begins
    EXPECT_EQ(client->is_streamed, size > head);
    end.close();
    turn();
    if (size > head) {
      EXPECT_EQ(client->end, "aborted");
      EXPECT_EQ(client->got, response.substr(head, size - head));
    } else {
      expect_bad_gateway(*client);
    }
  }
  EXPECT_EQ(retries, 0);
  EXPECT_EQ(upstream->connections(), 0u);
  EXPECT_EQ(upstream->in_flight(), 0u);
}

TEST_F(ProxyFaults, AServerThatClosesAtAnyByteOfAChunkedResponse) {
  const std::string response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const std::size_t head = response.find("\r\n\r\n") + 4;
  for (std::size_t size = head; size < response.size(); ++size) {
    SCOPED_TRACE(size);
    const auto client = get();
    ServerEnd end = accept_request();
    send(end, response.substr(0, size));
    end.close();
    turn();
    EXPECT_EQ(client->end, "aborted") << "never a proper end of the chunks";
  }
}

TEST_F(ProxyFaults, AResponseReadByteByByteIsTheSame) {
  const auto client = get();
  ServerEnd end = accept_request();
  for (const char c : kOk) send(end, std::string_view(&c, 1));
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->got, "ok");
}

TEST_F(ProxyFaults, AGetIsRepeatedOnceIfItsConnectionWasStale) {
  ServerEnd end = pooled();
  const auto client = get();
  EXPECT_THAT(end.take(), StartsWith("GET"));
  end.close();
  turn();
  EXPECT_EQ(client->end, "");
  ServerEnd second = accept_request();
  send(second, kOk);
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(retries, 1);
  EXPECT_THAT(outcomes, ElementsAre("answered"));
}

TEST_F(ProxyFaults, ARequestIsNotRepeatedTwice) {
  const auto client = get();
  accept_request().close();
  turn();
  accept_request().close();
  turn();
  expect_bad_gateway(*client);
  EXPECT_FALSE(has_connection());
  EXPECT_EQ(retries, 1);
}

TEST_F(ProxyFaults, APostIsNotRepeatedOnceBytesOfItWereSent) {
  ServerEnd end = pooled();
  const auto client = post("a=1");
  end.take();
  end.close();
  turn();
  expect_bad_gateway(*client);
  EXPECT_FALSE(has_connection());
}

TEST_F(ProxyFaults, APostIsSentOnAFreshConnectionIfTheServerHasClosedTheIdleOne) {
  ServerEnd end = pooled();
  end.close();
  const auto client = post("a=1");
  ServerEnd fresh = accept();
  EXPECT_THAT(fresh.take(), HasSubstr("\r\n\r\na=1"));
  send(fresh, kOk);
  EXPECT_EQ(client->end, "answered");
}

TEST_F(ProxyFaults, APutIsRepeatedWithItsWholeBody) {
  const auto client = make("PUT");
  client->from.body = "whole";
  begin(client);
  ServerEnd first = accept();
  first.take();
  first.close();
  turn();
  ServerEnd second = accept();
  EXPECT_THAT(second.take(), HasSubstr("content-length: 5\r\n\r\nwhole"));
  send(second, kOk);
  EXPECT_EQ(client->end, "answered");
}

TEST_F(ProxyFaults, APutWhoseBodyWasTakenFromTheClientIsNotRepeated) {
  const auto client = make("PUT");
  client->from.is_arriving = true;
  begin(client);
  client->send("part", true);
  ServerEnd end = accept_request();
  end.close();
  turn();
  expect_bad_gateway(*client);
}

TEST_F(ProxyFaults, NothingIsRepeatedAfterAByteOfTheResponse) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 100 Continue\r\n\r\n");
  end.close();
  turn();
  expect_bad_gateway(*client);
}

// ---- limits

TEST_F(ProxyFaults, AnAppThatDoesNotAnswerTimesOut) {
  const auto client = get();
  ServerEnd end = accept_request();
  advance(std::chrono::milliseconds(3900));
  EXPECT_EQ(client->end, "");
  advance(std::chrono::milliseconds(200));
  EXPECT_EQ(client->end, "failed");
  EXPECT_EQ(client->why.http_status(), 504u);
  EXPECT_THAT(client->why.message(), HasSubstr("/p did not answer within 4 s"));
  EXPECT_TRUE(end.is_closed());
  EXPECT_EQ(retries, 0);
  EXPECT_THAT(outcomes, ElementsAre("timed_out"));
}

TEST_F(ProxyFaults, TheRequestsDeadlineEndsItEarlier) {
  const auto client = make();
  client->due = clock.now() + std::chrono::seconds(1);
  begin(client);
  ServerEnd end = accept_request();
  advance(std::chrono::milliseconds(1100));
  EXPECT_EQ(client->why.http_status(), 504u);
  EXPECT_THAT(client->why.message(), HasSubstr("deadline"));
}

TEST_F(ProxyFaults, TheRequestsDeadlineIsNotTheResponsesEnd) {
  const auto client = make();
  client->due = clock.now() + std::chrono::seconds(1);
  begin(client);
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  advance(std::chrono::seconds(3));
  send(end, "0\r\n\r\n");
  EXPECT_EQ(client->end, "ended");
}

TEST_F(ProxyFaults, AResponseThatStopsIsCutOff) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  advance(std::chrono::seconds(3));
  send(end, "1\r\nb\r\n");
  advance(std::chrono::seconds(3));
  EXPECT_EQ(client->end, "");
  advance(std::chrono::seconds(2));
  EXPECT_EQ(client->end, "aborted");
  EXPECT_EQ(client->got, "ab");
}

TEST_F(ProxyFaults, AnAppThatReadsNothingOfAnUploadTimesOut) {
  const auto client = post(std::string(std::size_t{8} << 20, 'x'));
  ServerEnd end = accept();
  advance(std::chrono::milliseconds(3100));
  EXPECT_EQ(client->why.http_status(), 504u);
  EXPECT_THAT(client->why.message(), HasSubstr("took nothing of the request within 3 s"));
}

TEST_F(ProxyFaults, ASlowUploadIsNotTheAppsSilence) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  begin(client);
  ServerEnd end = accept_request();
  advance(std::chrono::seconds(30));
  EXPECT_EQ(client->end, "");
  client->send("late", false);
  send(end, kOk);
  EXPECT_EQ(client->end, "answered");
}

TEST_F(ProxyFaults, AFullBacklogTimesOut) {
  use();
  listen_at("full", 0);
  upstream->remove(server);
  server = upstream->add(path("full"));
  std::vector<std::shared_ptr<FakeDownstream>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(get());
  const auto& last = clients.back();
  EXPECT_EQ(upstream->waiting(), 3u);  // the kernel takes one
  advance(std::chrono::milliseconds(1900));
  EXPECT_EQ(last->end, "");
  advance(std::chrono::milliseconds(200));
  EXPECT_EQ(last->why.http_status(), 504u);
  EXPECT_THAT(last->why.message(), HasSubstr("accepted no connection within 2 s"));
}

TEST_F(ProxyFaults, ABacklogWithRoomAgainIsTried) {
  use();
  listen_at("full", 0);
  upstream->remove(server);
  server = upstream->add(path("full"));
  const auto first = get();
  const auto second = get();
  EXPECT_EQ(upstream->waiting(), 1u);
  ServerEnd a = accept_request();
  advance(std::chrono::milliseconds(6));
  ServerEnd b = accept_request();
  send(b, kOk);
  EXPECT_EQ(second->end, "answered");
}

// ---- early answers, and clients that leave

TEST_F(ProxyFaults, AnEarlyAnswerIsPassedOnAndItsConnectionClosed) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  begin(client);
  client->send("part", true);
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->response->status, 413);
  EXPECT_TRUE(end.is_closed());
}

TEST_F(ProxyFaults, AnAnswerIsReadAlthoughTheServerHasClosed) {
  const auto client = post(std::string(std::size_t{8} << 20, 'x'));
  ServerEnd end = accept();
  end.send("HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
  end.close();
  turn();
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(client->response->status, 413);
  EXPECT_EQ(client->got, "big");
}

TEST_F(ProxyFaults, AClientThatIsGoneClosesTheServersConnection) {
  const auto client = get();
  ServerEnd end = accept_request();
  client->go();
  EXPECT_EQ(client->end, "failed");
  EXPECT_TRUE(end.is_closed());
  EXPECT_THAT(outcomes, ElementsAre("client_gone"));
}

TEST_F(ProxyFaults, AClientThatLeavesAStreamClosesTheServersConnection) {
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  client->write_status = Status(BENTO_CANCELLED, "the client is gone");
  send(end, "1\r\nb\r\n");
  EXPECT_EQ(client->end, "aborted");
  EXPECT_TRUE(end.is_closed());
}

TEST_F(ProxyFaults, AnUploadThatFailsEndsTheRequestWithItsStatus) {
  const auto client = make("POST");
  client->from.is_arriving = true;
  begin(client);
  ServerEnd end = accept_request();
  client->body_error = Status::with_http(408, BENTO_DEADLINE_EXCEEDED, "the body is late");
  client->events->on_body();
  EXPECT_EQ(client->why.http_status(), 408u);
  EXPECT_TRUE(end.is_closed());
}

TEST_F(ProxyFaults, TheSocketIsNeverHalfClosed) {
  const auto client = post("all");
  ServerEnd end = accept_request();
  EXPECT_FALSE(end.is_closed());
  advance(std::chrono::seconds(2));
  EXPECT_FALSE(end.is_closed());
}

}  // namespace
}  // namespace bentohost::upstream
