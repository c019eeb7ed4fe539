// ClientTest: an http::Client on a loop, and a server on a loopback port that the test plays by
// hand.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "http/client/client.h"

namespace bentohost::http {

inline constexpr int kPatienceMs = 20000;

// The server's end of one connection.
class Peer {
 public:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  // Until the text ends with `end`; or what came before the connection's end.
  std::string read_until(std::string_view end) {
    std::string text;
    while (!std::string_view(text).ends_with(end)) {
      char byte = 0;
      if (!await(POLLIN) || ::recv(fd_.get(), &byte, 1, 0) != 1) break;
      text += byte;
    }
    return text;
  }
  std::string read_head() { return read_until("\r\n\r\n"); }
  std::string read_some() {
    std::string bytes(64u << 10, '\0');
    const ssize_t n = await(POLLIN) ? ::recv(fd_.get(), bytes.data(), bytes.size(), 0) : 0;
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  bool is_at_end() { return read_some().empty(); }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // As much as the connection takes at once.
  std::size_t write_at_once(std::string_view bytes) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  void close() { fd_ = UniqueFd(); }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  bool await(short events, int ms = kPatienceMs) const {
    pollfd one{fd_.get(), events, 0};
    return ::poll(&one, 1, ms) == 1;
  }
  UniqueFd take() { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

class LocalServer {
 public:
  LocalServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 64), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  std::string url(std::string_view target = "/", std::string_view host = "127.0.0.1") const {
    return "http://" + std::string(host) + ":" + std::to_string(port_) + std::string(target);
  }
  bool has_connection(int ms) const {
    pollfd one{fd_.get(), POLLIN, 0};
    return ::poll(&one, 1, ms) == 1;
  }
  Peer accept() const {
    if (!has_connection(kPatienceMs)) {
      ADD_FAILURE() << "nobody connects";
      return Peer(UniqueFd());
    }
    return Peer(UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  void close() { fd_ = UniqueFd(); }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

// Collects a response.
class Answer final : public FetchUser {
 public:
  // The whole response, or the failure.
  const Answer& wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                                  [this] { return ended_.has_value(); }));
    return *this;
  }
  void wait_for_body(std::size_t size) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                                  [&] { return body_.size() >= size; }));
  }
  const Status& status() const { return ended_->status; }
  std::string kind() const { return std::string(ended_->kind); }
  const std::string& message() const { return ended_->status.message(); }
  int code() const { return head_.status; }
  std::string header(std::string_view name) const {
    return std::string(find_header(head_.headers, name));
  }
  std::string body() const {
    const std::lock_guard lock(mutex_);
    return body_;
  }
  bool has_ended() const {
    const std::lock_guard lock(mutex_);
    return ended_.has_value();
  }
  void set_room(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    room_ = bytes;
  }

 private:
  void on_head(Response head) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_);
    head_ = std::move(head);
  }
  void on_body(std::string_view piece) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_);
    body_ += piece;
    changed_.notify_all();
  }
  void on_end(FetchFailure failure) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_);
    ended_ = std::move(failure);
    changed_.notify_all();
  }
  bool has_room() const override {
    const std::lock_guard lock(mutex_);
    return body_.size() < room_;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Response head_;
  std::string body_;
  std::optional<FetchFailure> ended_;
  std::size_t room_ = static_cast<std::size_t>(-1);
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() : loop_(std::make_shared<EventLoop>(clock_)) { loop_->start(); }
  ~ClientTest() override {
    if (client_) client_->close();
    loop_->stop();
    client_.reset();
  }

  Client& client(ClientOptions options = {}, Resolver::LookUp look_up = &http::look_up) {
    if (!client_) client_.emplace(Client::Loops{loop_}, options, std::move(look_up));
    return *client_;
  }
  static FetchRequest request(const std::string& url, std::string method = "GET",
                              std::string body = {}) {
    FetchRequest request;
    auto parsed = Url::parse(url);
    EXPECT_TRUE(parsed.ok()) << parsed.status().message();
    request.url = *std::move(parsed);
    request.method = std::move(method);
    request.body = std::move(body);
    return request;
  }
  std::shared_ptr<Answer> get(const std::string& url, std::string method = "GET",
                              std::string body = {}) {
    return send(request(url, std::move(method), std::move(body)));
  }
  std::shared_ptr<Answer> send(FetchRequest request) {
    EXPECT_TRUE(check(request).ok());
    auto answer = std::make_shared<Answer>();
    handle_ = client().start(std::move(request), answer);
    return answer;
  }
  // All that the loop was asked to do has been done.
  void settle() { EXPECT_TRUE(loop_->let_turn(std::chrono::milliseconds(kPatienceMs))); }

  SteadyClock clock_;
  std::shared_ptr<EventLoop> loop_;
  std::optional<Client> client_;
  Client::Handle handle_;  // of the last request
};

}  // namespace bentohost::http
