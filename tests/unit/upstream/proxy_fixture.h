// A proxy between a client and a server that the test plays itself: the loop is stepped by hand, on
// a clock that stands still, and the server answers on a real Unix socket.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/unique_fd.h"
#include "fakes/fake_clock.h"
#include "upstream/upstream.h"

namespace bentohost::upstream {

// The client's side of a request: the body that the client sends, and the response that it gets.
class FakeDownstream final : public Downstream {
 public:
  explicit FakeDownstream(EventLoop& loop, std::string method = "GET", std::string target = "/x")
      : loop_(loop) {
    from.method = std::move(method);
    from.target = std::move(target);
    from.path = from.target.substr(0, from.target.find('?'));
    if (const auto query = from.target.find('?'); query != std::string::npos) {
      from.query = from.target.substr(query + 1);
    }
    from.version = "HTTP/1.1";
    from.client = "192.0.2.7:51034";
    from.server = "127.0.0.1:3000";
    from.headers = {{"host", "example.com"}};
  }

  // ---- the client
  // More of a streamed body, or of a tunnel.
  void send(std::string bytes, bool more) {
    pieces.push_back({std::move(bytes), more});
    events->on_body();
  }
  void drain() {
    is_full = false;
    events->on_room();
  }
  void go() { events->on_cancelled(); }

  // ---- the proxy
  const http::Request& request() const override { return from; }
  std::string_view request_id() const override { return "id-1"; }
  TimePoint deadline() const override { return due; }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> whom) override {
    events = std::move(whom);
    return &loop_;
  }
  std::optional<std::string_view> whole_body() const override {
    return from.is_arriving ? std::nullopt : std::optional<std::string_view>(from.body);
  }
  bool has_room() const override { return !is_full; }
  Result<http::ReceivedBody> receive() override {
    if (!body_error.ok()) return body_error;
    if (pieces.empty()) return http::ReceivedBody{{}, true};
    http::ReceivedBody piece = std::move(pieces.front());
    pieces.pop_front();
    return piece;
  }
  void answer(http::Response&& whole) override {
    response = std::move(whole);
    got = response->body;
    complete("answered");
  }
  Status start(http::Response head) override {
    EXPECT_FALSE(response.has_value()) << "a second response";
    response = std::move(head);
    got = response->body;
    is_streamed = true;
    return write_status;
  }
  Status write(std::string_view bytes, bool more) override {
    EXPECT_TRUE(is_streamed && end.empty()) << "written before the start, or after the end";
    got += bytes;
    if (full_at != 0 && got.size() >= full_at) is_full = true;
    if (!more) complete("ended");
    return write_status;
  }
  void abort(const Status& status) override {
    EXPECT_TRUE(is_streamed) << "aborted before the start";
    why = status;
    complete("aborted");
  }
  void fail(const Status& status, http::Headers headers) override {
    EXPECT_FALSE(is_streamed) << "failed after the start";
    why = status;
    failure_headers = std::move(headers);
    complete("failed");
  }

  std::string header(std::string_view name) const {
    return response ? std::string(http::find_header(response->headers, name)) : "";
  }

  http::Request from;
  TimePoint due = kNoDeadline;
  std::shared_ptr<http::StreamEvents> events;
  std::deque<http::ReceivedBody> pieces;
  Status body_error, write_status, why;
  bool is_full = false;
  std::size_t full_at = 0;  // bytes after which it is full

  std::optional<http::Response> response;
  http::Headers failure_headers;
  std::string got;  // the body
  bool is_streamed = false;
  std::string end;  // "answered", "ended", "aborted", "failed": how the response was completed

 private:
  void complete(std::string how) {
    EXPECT_EQ(end, "") << "completed twice, now " << how;
    end = std::move(how);
    events.reset();
  }
  EventLoop& loop_;
};

// One connection to the scripted server.
class ServerEnd {
 public:
  explicit ServerEnd(UniqueFd fd) : fd_(std::move(fd)) {}

  void send(std::string_view bytes) {
    ASSERT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // As much as the socket takes.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  // What has come, at most `most` bytes.
  std::string take(std::size_t most = std::size_t{1} << 20) {
    std::string bytes(most, '\0');
    const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    is_over_ = n == 0 || (n < 0 && errno == ECONNRESET);
    return bytes;
  }
  // Whether the proxy has closed the connection. Loses what has come.
  bool is_closed() {
    while (!take().empty()) {
    }
    return is_over_;
  }
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  bool is_over_ = false;
};

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ProxyTest : public testing::Test {
 protected:
  ProxyTest() {
    options.name = "/p";
    options.root_path = "/p";
    metrics.on_end = [this](Outcome outcome) { outcomes.emplace_back(name_of(outcome)); };
    metrics.on_retry = [this] { ++retries; };
    std::string folder = testing::TempDir() + "proxyXXXXXX";
    folder_ = mkdtemp(folder.data());
    listen_at("s");
  }
  // Requests that are still open hold themselves: their clients leave.
  ~ProxyTest() override {
    for (const auto& client : clients_) {
      if (client->events != nullptr) client->go();
    }
    upstream.reset();
    turn();
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // Also a second server of the app.
  void listen_at(const std::string& name, int backlog = 64) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path(name).copy(address.sun_path, sizeof address.sun_path - 1);
    listener = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener.get(), backlog), 0);
  }

  Upstream& use() {
    if (upstream == nullptr) {
      upstream = std::make_shared<Upstream>(options, metrics);
      server = upstream->add(path("s"));
    }
    return *upstream;
  }

  std::shared_ptr<FakeDownstream> make(std::string method = "GET", std::string target = "/p/x") {
    return clients_.emplace_back(
        std::make_shared<FakeDownstream>(loop, std::move(method), std::move(target)));
  }
  void begin(const std::shared_ptr<FakeDownstream>& client) {
    use();
    loop.post([this, client] { proxy(client, upstream); });
    turn();
  }
  std::shared_ptr<FakeDownstream> get(std::string target = "/p/x") {
    auto client = make("GET", std::move(target));
    begin(client);
    return client;
  }
  std::shared_ptr<FakeDownstream> post(std::string body) {
    auto client = make("POST");
    client->from.body = std::move(body);
    begin(client);
    return client;
  }

  void turn() {
    constexpr int kEnough = 6;
    for (int i = 0; i < kEnough; ++i) loop.step(Duration::zero());
  }
  void advance(Duration by) {
    clock.advance(by);
    turn();
  }

  bool has_connection() {
    pollfd wanted{listener.get(), POLLIN, 0};
    return poll(&wanted, 1, 0) == 1;
  }
  // The next connection of the proxy.
  ServerEnd accept() {
    UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(fd) << "the proxy has not connected";
    return ServerEnd(std::move(fd));
  }
  // The same, with the request that came over it read.
  ServerEnd accept_request() {
    ServerEnd end = accept();
    EXPECT_THAT(end.take(), testing::HasSubstr("\r\n\r\n"));
    return end;
  }
  // Sends a part of a response and has the proxy read it.
  void send(ServerEnd& end, std::string_view bytes) {
    end.send(bytes);
    turn();
  }

  fakes::FakeClock clock;
  EventLoop loop{clock};
  UpstreamOptions options;
  UpstreamMetrics metrics;
  UniqueFd listener;
  std::shared_ptr<Upstream> upstream;
  Upstream::ServerId server = 0;
  std::vector<std::string> outcomes;
  int retries = 0;

 private:
  std::string folder_;
  std::vector<std::shared_ptr<FakeDownstream>> clients_;
};

}  // namespace bentohost::upstream
