#include <gtest/gtest.h>

#include <thread>

#include "http/net/transport.h"
#include "unit/http/socket_pair.h"

namespace bentohost::http {
namespace {

using Kind = Received::Kind;

// The peer's end, which blocks.
void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(n, 0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string receive_some(int fd, std::size_t size = 65536) {
  std::string bytes(size, '\0');
  const ssize_t n = recv(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

TEST(PlainTransport, ReadsWhatIsThereAndNeverWaits) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  std::array<char, 4> bytes{};
  EXPECT_EQ(transport->read(bytes.data(), bytes.size()).kind, Kind::kAgain);
  send_all(pair.theirs.get(), "abcdef");
  Received received = transport->read(bytes.data(), bytes.size());
  ASSERT_EQ(received.kind, Kind::kBytes);
  EXPECT_EQ(std::string_view(bytes.data(), received.size), "abcd");
  EXPECT_TRUE(received.more);
  received = transport->read(bytes.data(), bytes.size());
  ASSERT_EQ(received.kind, Kind::kBytes);
  EXPECT_EQ(std::string_view(bytes.data(), received.size), "ef");
  EXPECT_FALSE(received.more);
  EXPECT_EQ(transport->read(bytes.data(), bytes.size()).kind, Kind::kAgain);
}

TEST(PlainTransport, NeverWaitsOnADescriptorThatWould) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.theirs));
  char byte = 0;
  EXPECT_EQ(transport->read(&byte, 1).kind, Kind::kAgain);
  const std::string much(64u << 20, 'x');
  EXPECT_LT(transport->write(much, {}).size, much.size());
}

TEST(PlainTransport, WritesBothPartsInOrder) {
  SocketPair pair = unix_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  EXPECT_EQ(transport->write("head ", "body").size, 9u);
  EXPECT_EQ(transport->write({}, " tail").size, 5u);
  EXPECT_EQ(transport->write({}, {}).size, 0u);
  EXPECT_EQ(receive_some(pair.theirs.get()), "head body tail");
}

TEST(PlainTransport, TellsHowMuchASlowPeerHasTaken) {
  SocketPair pair = unix_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  const std::string head = pattern(1'000'000);
  const std::string all = head + pattern(3'000'000);
  std::string received;
  std::size_t taken = 0;
  while (taken < all.size()) {
    const std::string_view first = std::string_view(head).substr(std::min(taken, head.size()));
    const Sent sent =
        transport->write(first, std::string_view(all).substr(std::max(taken, head.size())));
    ASSERT_FALSE(sent.broken);
    taken += sent.size;
    received += receive_some(pair.theirs.get(), 50'000);
  }
  for (std::string more; !(more = receive_some(pair.theirs.get())).empty();) received += more;
  EXPECT_TRUE(received == all);
}

TEST(PlainTransport, LosesNothingWhenItIsReadOnEventsOnly) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  const std::string all = pattern(5'000'000);
  std::thread client([&all, theirs = std::move(pair.theirs)] {
    std::string_view left = all;
    for (std::size_t i = 1; !left.empty(); ++i) {
      const std::size_t size = std::min(left.size(), i * 977 % 30'000);
      send_all(theirs.get(), left.substr(0, size));
      left.remove_prefix(size);
    }
  });
  EXPECT_TRUE(read_on_events(*transport, 4096) == all);
  client.join();
}

TEST(PlainTransport, CanAnswerAPeerThatHasSentAll) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  send_all(pair.theirs.get(), "question");
  shutdown(pair.theirs.get(), SHUT_WR);
  EXPECT_EQ(read_on_events(*transport, 100), "question");
  EXPECT_EQ(transport->write("answer", {}).size, 6u);
  EXPECT_EQ(receive_some(pair.theirs.get()), "answer");
}

TEST(PlainTransport, CanReadAfterItHasSentAll) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  transport->shutdown_writing();
  EXPECT_EQ(receive_some(pair.theirs.get()), "");  // FIN
  send_all(pair.theirs.get(), "late");
  pair.theirs.reset();
  EXPECT_EQ(read_on_events(*transport, 100), "late");
  EXPECT_TRUE(transport->write("x", {}).broken);
}

TEST(PlainTransport, IsBrokenByAReset) {
  SocketPair pair = tcp_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  close_by_reset(std::move(pair.theirs));
  char byte = 0;
  EXPECT_EQ(transport->read(&byte, 1).kind, Kind::kBroken);
}

TEST(PlainTransport, APeerThatIsGoneIsNoSignal) {
  SocketPair pair = unix_pair();
  const auto transport = plain_transport(std::move(pair.ours));
  pair.theirs.reset();
  const Sent sent = transport->write("head", "body");
  EXPECT_TRUE(sent.broken);
  EXPECT_EQ(sent.size, 0u);
}

TEST(PlainTransport, OwnsItsDescriptor) {
  SocketPair pair = unix_pair();
  const int fd = pair.ours.get();
  auto transport = plain_transport(std::move(pair.ours));
  EXPECT_EQ(transport->fd(), fd);
  EXPECT_FALSE(transport->is_secure());
  EXPECT_EQ(transport->client_subject(), "");
  transport.reset();
  EXPECT_EQ(receive_some(pair.theirs.get()), "");  // end of file
}

}  // namespace
}  // namespace bentohost::http
