#include "http/net/tls_transport.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <thread>

#include "unit/http/socket_pair.h"
#include "unit/http/tls_client.h"
#include "unit/http/tls_fixture.h"

namespace bentohost::http {
namespace {

using Kind = Received::Kind;
using State = TlsClient::State;
using TlsTransportTest = TlsFixture;

TEST_F(TlsTransportTest, EchoesInBothVersions) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.min_version = version, .max_version = version});
    EXPECT_EQ(SSL_version(client_->ssl()), version);
    EXPECT_TRUE(server_->is_secure());
    EXPECT_EQ(client_->send("ping"), 4u);
    EXPECT_EQ(server_reads(), "ping");
    EXPECT_EQ(server_->write("po", "ng").size, 4u);
    EXPECT_EQ(client_->receive(), "pong");
    EXPECT_EQ(client_->send("again"), 5u);
    EXPECT_EQ(server_reads(), "again");
  }
}

TEST_F(TlsTransportTest, TakesNothingBeforeTheHandshake) {
  meet(options());
  const Sent sent = server_->write("early", "bird");
  EXPECT_EQ(sent.size, 0u);
  EXPECT_FALSE(sent.broken);
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kAgain);
  EXPECT_EQ(server_->write("early", "bird").size, 9u);
  EXPECT_EQ(client_->receive(), "earlybird");
}

TEST_F(TlsTransportTest, AsksToBeReadAgainForAsLongAsItHoldsBytes) {
  connect();
  client_->send("first");
  client_->send("second");
  std::array<char, 3> bytes{};
  Received received = server_->read(bytes.data(), bytes.size());
  ASSERT_EQ(received.kind, Kind::kBytes);
  EXPECT_TRUE(received.more);  // "st"
  received = server_->read(bytes.data(), bytes.size());
  EXPECT_EQ(received.size, 2u);
  EXPECT_TRUE(received.more);  // the second record, which is already out of the socket
  std::string rest;
  received = read_all(*server_, rest);
  EXPECT_EQ(rest, "second");
  EXPECT_EQ(received.kind, Kind::kAgain);  // only recv() knows that this is all
}

TEST_F(TlsTransportTest, KnowsByAShortReadThatThisIsAll) {
  connect();
  client_->send("all");
  std::array<char, 100> bytes{};
  const Received received = server_->read(bytes.data(), bytes.size());
  EXPECT_EQ(received.size, 3u);
  EXPECT_FALSE(received.more);
}

TEST_F(TlsTransportTest, AsksToBeReadAgainWhenBytesCameBetweenItsReads) {
  connect();
  client_->send("one");
  client_->send("two");
  std::array<char, 100> bytes{};
  Received received = server_->read(bytes.data(), bytes.size());
  ASSERT_EQ(received.size, 3u);
  EXPECT_TRUE(received.more);
  // The event for these bytes is over before the next read, which finds its record in memory.
  client_->send("three");
  std::string rest;
  read_all(*server_, rest);
  EXPECT_EQ(rest, "twothree");
}

TEST_F(TlsTransportTest, LosesNothingWhenItIsReadOnEventsOnly) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SocketPair pair = tcp_pair();
    const auto transport = context(options())->accept(std::move(pair.ours));
    const std::string all = pattern(5'000'000);
    std::thread peer([&all, version, theirs = std::move(pair.theirs)]() mutable {
      TlsClient blocking(std::move(theirs), {.min_version = version, .max_version = version});
      std::string_view left = all;
      for (std::size_t i = 1; !left.empty(); ++i) {
        const std::size_t size = std::min(left.size(), i * 977 % 60'000);
        if (size == 0) continue;
        ASSERT_EQ(blocking.send(left.substr(0, size)), size);
        left.remove_prefix(size);
      }
      blocking.close_notify();
      blocking.end_sending();
      blocking.receive_all();  // with tickets unread, close() would send RST
    });
    EXPECT_TRUE(read_on_events(*transport, 4096) == all);
    transport->shutdown_writing();
    peer.join();
  }
}

TEST_F(TlsTransportTest, FillsARecordFromBothParts) {
  connect();
  const std::string body = pattern(20'000);
  EXPECT_EQ(server_->write("head", body).size, 20'004u);
  EXPECT_EQ(client_->receive(), "head" + body.substr(0, 16'380));
  EXPECT_EQ(client_->receive(), body.substr(16'380));
}

TEST_F(TlsTransportTest, TellsHowMuchASlowPeerHasTaken) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.min_version = version, .max_version = version});
    const std::string all = pattern(3'000'000);
    std::string received;
    std::size_t taken = 0;
    std::size_t refusals = 0;
    while (received.size() < all.size()) {
      // Each time at another address, and in pieces of other sizes.
      const std::string left = all.substr(taken);
      const std::size_t first = std::min(left.size(), taken % 20'000);
      const Sent sent = server_->write(std::string_view(left).substr(0, first),
                                       std::string_view(left).substr(first));
      ASSERT_FALSE(sent.broken) << server_->failure();
      taken += sent.size;
      if (taken < all.size()) ++refusals;
      for (int i = 0; i < 5; ++i) received += client_->receive(9'000);
    }
    EXPECT_TRUE(received == all);
    EXPECT_GT(refusals, 10u);
  }
}

TEST_F(TlsTransportTest, ReadsWhileItsWritesAreRefused) {
  connect();
  const std::string all = pattern(1'000'000);
  const std::size_t taken = server_->write(all, {}).size;
  ASSERT_LT(taken, all.size());
  client_->send("meanwhile");
  EXPECT_EQ(server_reads(), "meanwhile");
  std::string received = client_->receive_all();
  EXPECT_GT(server_->write(std::string_view(all).substr(taken), {}).size, 0u);
  received += client_->receive_all();
  EXPECT_TRUE(all.starts_with(received));
}

TEST_F(TlsTransportTest, EndsWithCloseNotifyAndCanStillAnswer) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.min_version = version, .max_version = version});
    client_->send("question");
    client_->close_notify();
    std::string bytes;
    EXPECT_TRUE(read_all(*server_, bytes).more || bytes == "question");
    EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kEnd);
    EXPECT_EQ(bytes, "question");
    EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kEnd);
    EXPECT_EQ(server_->write("answer", {}).size, 6u);
    EXPECT_EQ(client_->receive(), "answer");
  }
}

TEST_F(TlsTransportTest, EndsWithoutCloseNotifyAndCanStillAnswer) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.min_version = version, .max_version = version});
    client_->send("question");
    client_->end_sending();
    EXPECT_EQ(read_on_events(*server_, 100), "question");
    EXPECT_EQ(server_->write("answer", {}).size, 6u);
    EXPECT_EQ(client_->receive(), "answer");
    std::string bytes;
    EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kEnd);
  }
}

TEST_F(TlsTransportTest, APeerThatLeavesBeforeOrWithinTheHandshakeIsAnEnd) {
  std::string bytes;
  meet(options());
  client_.reset();
  EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kEnd);
  meet(options());
  client_->handshake();
  client_->end_sending();
  EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kEnd);
  EXPECT_EQ(server_->write("x", {}).size, 0u);
}

TEST_F(TlsTransportTest, APeerThatIsGoneIsNoSignal) {
  connect();
  client_.reset();
  const Sent sent = server_->write("head", "body");
  EXPECT_TRUE(sent.broken);
  EXPECT_EQ(sent.size, 0u);
  EXPECT_NE(server_->failure(), "");
  char byte = 0;
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kBroken);
  EXPECT_TRUE(server_->write("head", "body").broken);
  server_->shutdown_writing();
}

TEST_F(TlsTransportTest, IsBrokenByAReset) {
  SocketPair pair = tcp_pair();
  const auto transport = context(options())->accept(std::move(pair.ours));
  close_by_reset(std::move(pair.theirs));
  char byte = 0;
  EXPECT_EQ(transport->read(&byte, 1).kind, Kind::kBroken);
  EXPECT_EQ(transport->failure(), "Connection reset by peer");
}

TEST_F(TlsTransportTest, IsBrokenByWhatIsNoTls) {
  for (const std::string_view garbage :
       {std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string_view("SSH-2.0-OpenSSH_9.2\r\n"), std::string_view("\0\0\0\0\0\0\0\0", 8),
        std::string_view("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10)}) {
    SocketPair pair = unix_pair();
    const auto transport = context(options())->accept(std::move(pair.ours));
    ASSERT_EQ(send(pair.theirs.get(), garbage.data(), garbage.size(), 0),
              static_cast<ssize_t>(garbage.size()));
    std::string bytes;
    const bool is_text = garbage[0] >= 'A' && garbage[0] <= 'Z';
    EXPECT_EQ(read_all(*transport, bytes).kind, is_text ? Kind::kPlain : Kind::kBroken);
    EXPECT_EQ(bytes, "");
    EXPECT_EQ(transport->failure().empty(), is_text);
  }
}

TEST_F(TlsTransportTest, IsBrokenByAForgedRecord) {
  connect();
  UniqueFd raw = client_->take_fd();
  const std::string forged = std::string("\x17\x03\x03\0\x18", 5) + std::string(24, 'x');
  ASSERT_GT(send(raw.get(), forged.data(), forged.size(), 0), 0);
  std::string bytes;
  EXPECT_EQ(read_all(*server_, bytes).kind, Kind::kBroken);
  EXPECT_EQ(bytes, "");
}

TEST_F(TlsTransportTest, RefusesVersionsThatAreTooOld) {
  meet(options(), {.min_version = TLS1_VERSION, .max_version = TLS1_1_VERSION});
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kBroken);
  EXPECT_EQ(server_->failure(), "unsupported protocol");
  EXPECT_EQ(client_->handshake(), State::kFailed);
  EXPECT_EQ(client_->failure(), "tlsv1 alert protocol version");

  TlsOptions new_only = options();
  new_only.min_version = TlsVersion::k13;
  meet(new_only, {.max_version = TLS1_2_VERSION});
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kBroken);
  meet(new_only);
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kAgain);
}

TEST_F(TlsTransportTest, NegotiatesHttpByAlpn) {
  connect({.protocols = "\x02h2\x08http/1.1"});
  EXPECT_EQ(client_->protocol(), "http/1.1");
  connect({.protocols = "\x08http/1.0"});
  EXPECT_EQ(client_->protocol(), "http/1.0");
  connect();
  EXPECT_EQ(client_->protocol(), "");
}

TEST_F(TlsTransportTest, RefusesAClientThatOffersOtherProtocolsOnly) {
  meet(options(), {.protocols = "\x02h2\x08spdy/3.1"});
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kBroken);
  EXPECT_EQ(client_->handshake(), State::kFailed);
  EXPECT_EQ(client_->failure(), "tlsv1 alert no application protocol");
}

TEST_F(TlsTransportTest, UsesForwardSecrecyUnlessToldOtherwise) {
  connect({.max_version = TLS1_2_VERSION});
  EXPECT_STREQ(SSL_get_cipher_name(client_->ssl()), "ECDHE-ECDSA-AES256-GCM-SHA384");
  TlsOptions other = options();
  other.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  meet(other, {.max_version = TLS1_2_VERSION});
  EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kAgain);
  EXPECT_STREQ(SSL_get_cipher_name(client_->ssl()), "ECDHE-ECDSA-CHACHA20-POLY1305");
}

TEST_F(TlsTransportTest, DoesNotRenegotiate) {
  connect({.max_version = TLS1_2_VERSION});
  ASSERT_EQ(SSL_renegotiate(client_->ssl()), 1);
  client_->handshake();
  std::string bytes;
  read_all(*server_, bytes);
  EXPECT_EQ(client_->handshake(), State::kFailed);
  EXPECT_EQ(client_->failure(), "no renegotiation");
}

TEST_F(TlsTransportTest, LetsAClientChangeItsKeys) {
  connect({.min_version = TLS1_3_VERSION});
  ASSERT_EQ(SSL_key_update(client_->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  client_->send("with new keys");
  EXPECT_EQ(server_reads(), "with new keys");
  EXPECT_EQ(server_->write("me, too", {}).size, 7u);
  EXPECT_EQ(client_->receive(), "me, too");
}

TEST_F(TlsTransportTest, SaysThatItSendsNoMoreAndCanStillRead) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.min_version = version, .max_version = version});
    server_->write("all", {});
    server_->shutdown_writing();
    server_->shutdown_writing();
    EXPECT_EQ(client_->receive(), "all");
    EXPECT_EQ(client_->receive(), "");
    EXPECT_EQ(client_->state(), State::kEnded);  // close_notify
    char byte = 0;
    const UniqueFd raw = client_->take_fd();
    EXPECT_EQ(recv(raw.get(), &byte, 1, 0), 0);  // FIN
    client_->send("late");
    EXPECT_EQ(server_reads(), "late");
  }
}

TEST_F(TlsTransportTest, DoesNotCallHalfAnAnswerWhole) {
  connect();
  const std::string all = pattern(1'000'000);
  ASSERT_LT(server_->write(all, {}).size, all.size());
  server_->shutdown_writing();
  client_->receive_all();
  EXPECT_EQ(client_->state(), State::kFailed);
  EXPECT_EQ(client_->failure(), "unexpected eof while reading");
}

TEST_F(TlsTransportTest, SendsCloseNotifyWhenThereIsRoomForIt) {
  connect();
  // Fills the socket until it takes no more.
  const auto is_full = [fd = server_->fd()] {
    int queued = 0;
    int room = 0;
    socklen_t size = sizeof room;
    EXPECT_EQ(ioctl(fd, SIOCOUTQ, &queued), 0);
    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &size), 0);
    return queued >= room;
  };
  std::size_t written = 0;
  while (!is_full()) ASSERT_EQ(server_->write("x", {}).size, 1u) << ++written;
  server_->shutdown_writing();
  char byte = 0;
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kAgain);
  client_->receive_all();
  EXPECT_EQ(client_->state(), State::kWaits);
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kAgain);
  client_->receive_all();
  EXPECT_EQ(client_->state(), State::kEnded);
}

TEST_F(TlsTransportTest, OwnsItsDescriptor) {
  connect();
  EXPECT_GE(server_->fd(), 0);
  server_.reset();
  const UniqueFd raw = client_->take_fd();
  std::array<char, 4096> bytes{};
  while (recv(raw.get(), bytes.data(), bytes.size(), 0) > 0) {
  }
  EXPECT_EQ(recv(raw.get(), bytes.data(), bytes.size(), 0), 0);
}

}  // namespace
}  // namespace bentohost::http
