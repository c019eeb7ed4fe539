// Two loops on threads of their own, servers that come and go, and clients that leave: each request
// ends exactly once, and nothing is left.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "upstream/upstream.h"

namespace bentohost::upstream {
namespace {

// Answers each request on each connection, on a thread; a few it closes instead.
class EchoServer {
 public:
  explicit EchoServer(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.get(), 64), 0);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~EchoServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const UniqueFd& fd : connections_) shutdown(fd.get(), SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
  }
  const std::string& path() const { return path_; }

 private:
  void accept_all() {
    while (true) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      connections_.push_back(std::move(fd));
      threads_.emplace_back([one = connections_.back().get()] { serve(one); });
    }
  }
  static void serve(int fd) {
    const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    std::string request(4096, '\0');
    for (int served = 0; recv(fd, request.data(), request.size(), 0) > 0; ++served) {
      constexpr int kClosesAfter = 50;
      if (served == kClosesAfter) break;
      if (send(fd, response.data(), response.size(), MSG_NOSIGNAL) < 0) break;
    }
    shutdown(fd, SHUT_RDWR);
  }

  std::string path_;
  UniqueFd listener_;
  std::thread acceptor_;
  std::vector<UniqueFd> connections_;  // the acceptor's until it has ended
  std::vector<std::thread> threads_;
};

struct Totals {
  std::atomic<int> answered = 0, failed = 0, open = 0;
};

class CountedDownstream final : public Downstream {
 public:
  CountedDownstream(EventLoop& loop, Totals& totals) : loop_(loop), totals_(totals) {
    request_.method = "GET";
    request_.target = request_.path = "/p/x";
    request_.version = "HTTP/1.1";
    request_.client = "192.0.2.7:51034";
    request_.headers = {{"host", "example.com"}};
    totals_.open.fetch_add(1);
  }
  const http::Request& request() const override { return request_; }
  std::string_view request_id() const override { return "id"; }
  TimePoint deadline() const override { return kNoDeadline; }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) override {
    events_ = std::move(events);
    return &loop_;
  }
  std::optional<std::string_view> whole_body() const override { return request_.body; }
  bool has_room() const override { return true; }
  Result<http::ReceivedBody> receive() override { return http::ReceivedBody{}; }
  void answer(http::Response&& response) override {
    EXPECT_EQ(response.body, "ok");
    end(totals_.answered);
  }
  Status start(http::Response) override { return {}; }
  Status write(std::string_view, bool more) override {
    if (!more) end(totals_.answered);
    return {};
  }
  void abort(const Status&) override { end(totals_.failed); }
  void fail(const Status& why, http::Headers) override {
    EXPECT_TRUE(why.http_status() == 502 || why.http_status() == 503 ||
                why.code() == BENTO_CANCELLED)
        << why.message();
    end(totals_.failed);
  }
  void leave() {
    if (events_ != nullptr) events_->on_cancelled();
  }

 private:
  void end(std::atomic<int>& count) {
    count.fetch_add(1);
    events_.reset();
    totals_.open.fetch_sub(1);
  }
  EventLoop& loop_;
  Totals& totals_;
  http::Request request_;
  std::shared_ptr<http::StreamEvents> events_;
};

TEST(PoolThreads, ServersComeAndGoUnderLoad) {
  std::string folder = testing::TempDir() + "threadsXXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const SteadyClock clock;
  std::vector<std::unique_ptr<EventLoop>> loops;
  for (int i = 0; i < 2; ++i) loops.push_back(std::make_unique<EventLoop>(clock));
  for (const auto& loop : loops) loop->start();

  UpstreamOptions options;
  options.root_path = options.name = "/p";
  options.limits.max_connections = 3;
  options.limits.max_queue = 40;
  auto upstream = std::make_shared<Upstream>(options);
  std::vector<std::unique_ptr<EchoServer>> servers;
  std::vector<Upstream::ServerId> ids;
  std::atomic<int> drained = 0;
  Totals totals;
  int sent = 0;
  constexpr int kRounds = 60;
  constexpr int kRequests = 40;
  for (int round = 0; round < kRounds; ++round) {
    if (round % 4 == 0) {
      servers.push_back(
          std::make_unique<EchoServer>(folder + "/" + std::to_string(servers.size())));
      ids.push_back(upstream->add(servers.back()->path()));
    }
    for (int i = 0; i < kRequests; ++i, ++sent) {
      EventLoop& loop = *loops[static_cast<std::size_t>(i % 2)];
      auto downstream = std::make_shared<CountedDownstream>(loop, totals);
      loop.post([downstream, upstream] { proxy(downstream, upstream); });
      if (i % 8 == 0) loop.post([downstream] { downstream->leave(); });
    }
    if (round % 4 == 2 && ids.size() > 1) {
      upstream->retire(ids[ids.size() - 2], [&drained] { drained.fetch_add(1); });
    }
    if (round % 4 == 3 && ids.size() > 1) upstream->remove(ids[ids.size() - 2]);
    while (totals.open.load() > kRequests / 2) std::this_thread::yield();
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (totals.open.load() > 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(totals.open, 0);
  EXPECT_EQ(totals.answered + totals.failed, sent);
  EXPECT_GT(totals.answered, sent / 2);
  EXPECT_EQ(upstream->in_flight(), 0u);
  EXPECT_EQ(upstream->waiting(), 0u);
  EXPECT_EQ(drained, static_cast<int>(ids.size()) - 1);
  upstream.reset();
  for (const auto& loop : loops) EXPECT_TRUE(loop->let_turn(std::chrono::seconds(10)));
  servers.clear();
  for (const auto& loop : loops) loop->stop();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bentohost::upstream
