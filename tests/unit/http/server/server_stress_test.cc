// The server under many kinds of clients at once: each request is answered once and in order,
// whichever thread answers and whatever other clients do, and nothing is left over at the end.
// Above all for the sanitizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/loop/thread_pool.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLarge = 400'000;
constexpr int kPieces = 40;
const std::string kPiece(10'000, 'p');

// Answers some exchanges a moment after they came, in any order, from its own thread.
class LateDesk {
 public:
  ~LateDesk() {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void take(Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&exchange);
  }

 private:
  void work() {
    std::minstd_rand random(1);
    std::unique_lock lock(mutex_);
    for (bool is_last = false; !is_last;) {
      is_last = changed_.wait_for(lock, milliseconds(1), [this] { return is_closed_; });
      std::vector<Exchange*> due = std::exchange(waiting_, {});
      lock.unlock();
      std::shuffle(due.begin(), due.end(), random);
      for (Exchange* exchange : due) {
        exchange->respond(Response::text(200, exchange->request().query));
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Exchange*> waiting_;
  bool is_closed_ = false;
  std::thread thread_{[this] { work(); }};
};

// The path says how a request is answered; its query, which is unique, starts the response.
class StressServer {
 public:
  ~StressServer() {
    server_->stop(TimePoint::min());
    EXPECT_EQ(threads_.stop(in_ten_seconds()), 0u);
  }
  Server* operator->() { return &*server_; }
  std::uint16_t port() const { return server_.port(); }

 private:
  static BodyPlan plan(const Request& request) {
    return {.max_body = 0, .streamed = request.path.starts_with("/stream")};
  }

  void handle(Exchange& exchange) {
    const std::string& path = exchange.request().path;
    if (path == "/now") {
      exchange.respond(Response::text(200, exchange.request().query));
    } else if (path == "/large") {
      exchange.respond(Response::text(200, exchange.request().query + std::string(kLarge, 'x')));
    } else if (path == "/soon") {
      EventLoop::current()->post(
          [&exchange] { exchange.respond(Response::text(200, exchange.request().query)); });
    } else if (path == "/late") {
      desk_.take(exchange);
    } else {
      threads_.run([&exchange] { work(exchange); });
    }
  }

  static void work(Exchange& exchange) {
    const std::string path = exchange.request().path;
    if (path == "/stream_in") {
      receive(exchange);
    } else if (path == "/stream_out" || path == "/stream_cut") {
      send(exchange, path == "/stream_cut");
    } else if (path == "/cancelled") {
      // A client that half-closed with its request is not known to be gone.
      const auto cancelled = exchange.cancelled();
      const TimePoint latest = SteadyClock().now() + milliseconds(20);
      while (!*cancelled && SteadyClock().now() < latest) std::this_thread::yield();
      exchange.respond(Response::text(200, "for nobody"));
    } else {
      exchange.respond(Response::text(200, exchange.request().query));
    }
  }

  static void receive(Exchange& exchange) {
    std::size_t size = 0;
    while (true) {
      const Result<ReceivedBody> piece = exchange.receive();
      if (!piece.ok()) return exchange.respond(Response::text(400, "aborted"));
      size += piece->bytes.size();
      if (!piece->more) break;
    }
    exchange.respond(Response::text(200, exchange.request().query + " " + std::to_string(size)));
  }

  static void send(Exchange& exchange, bool is_aborted) {
    Status status = exchange.start(Response::text(200, exchange.request().query));
    for (int i = 0; i < kPieces && status.ok(); ++i) status = exchange.write(kPiece, true);
    if (is_aborted) return exchange.abort();
    (void)exchange.write({}, false);
  }

  ThreadPool threads_{16, 2};
  LateDesk desk_;
  TestServer server_{[this](Exchange& exchange) { handle(exchange); }, Limits(), plan};
};

// One client's life: connections of all kinds until it is told to stop.
class Client {
 public:
  Client(std::uint16_t port, unsigned seed, const std::atomic<bool>& is_ending)
      : port_(port), seed_(seed), random_(seed), is_ending_(is_ending) {}

  void live(const std::atomic<bool>& is_over) {
    while (!is_over) {
      RawClient connection(port_);
      if (!connection.is_connected()) {
        EXPECT_TRUE(is_ending_);
        return;
      }
      switch (pick(8)) {
        case 0:
        case 1:
          converse(connection);
          break;
        case 2:
        case 3:
          pipeline(connection);
          break;
        case 4:
          leave_early(connection);
          break;
        case 5:
          ask_by_halves(connection);
          break;
        case 6:
          be_cut(connection);
          break;
        case 7:
          upload(connection);
          break;
      }
    }
  }

  int answered() const { return answered_; }

 private:
  struct Asked {
    std::string bytes, query;
    bool is_chunked = false;
    std::size_t size = 0;  // of the response
  };

  unsigned pick(unsigned count) { return static_cast<unsigned>(random_()) % count; }

  Asked ask(unsigned kinds = 7) {
    static constexpr std::array kPaths{"/now", "/soon",  "/late",      "/pool",
                                       "/now", "/large", "/stream_out"};
    const std::string path = kPaths[pick(kinds)];
    Asked asked;
    asked.query = std::to_string(seed_) + "." + std::to_string(++asked_);
    asked.size = asked.query.size();
    if (path == "/large") asked.size += kLarge;
    if (path == "/stream_out") asked.size += kPieces * kPiece.size();
    asked.is_chunked = path == "/stream_out";
    const std::string target = path + "?" + asked.query;
    switch (pick(3)) {
      case 0:
        asked.bytes = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
        break;
      case 1:
        asked.bytes = "POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
        break;
      case 2:
        asked.bytes = "POST " + target +
                      " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        break;
    }
    return asked;
  }

  // Sent in pieces of any size.
  void send(RawClient& connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t size = pick(4) == 0 ? 1 + pick(40) : bytes.size();
      connection.send(bytes.substr(0, size));
      bytes.remove_prefix(std::min(size, bytes.size()));
    }
  }

  // Whether the connection is kept. Only a server that is about to stop may not answer.
  bool hear(RawClient& connection, const Asked& asked) {
    Reply reply = connection.reply();
    bool is_whole = true;
    if (reply.has("Transfer-Encoding: chunked")) {
      EXPECT_TRUE(asked.is_chunked);
      const std::string chunks = connection.read_until("\r\n0\r\n\r\n");
      is_whole = chunks.ends_with("\r\n0\r\n\r\n");
      reply.body = unchunk(chunks);
    }
    is_whole = is_whole && reply.status == 200 && reply.body.size() == asked.size;
    if (!is_whole && is_ending_) return false;
    EXPECT_EQ(reply.status, 200) << asked.bytes << reply.head << reply.body;
    EXPECT_EQ(reply.body.size(), asked.size) << asked.bytes << reply.head;
    EXPECT_TRUE(reply.body.starts_with(asked.query)) << asked.bytes << reply.body.substr(0, 100);
    if (is_whole) ++answered_;
    const bool closes = reply.has("Connection: close");
    EXPECT_TRUE(!closes || is_ending_) << reply.head;
    return is_whole && !closes;
  }

  static std::string unchunk(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const std::size_t line = text.find("\r\n");
      if (line == std::string_view::npos) break;
      const std::size_t size = std::strtoul(std::string(text.substr(0, line)).c_str(), nullptr, 16);
      if (size == 0 || text.size() < line + 2 + size + 2) break;
      out += text.substr(line + 2, size);
      text.remove_prefix(line + 2 + size + 2);
    }
    return out;
  }

  void converse(RawClient& connection) {
    for (unsigned left = 1 + pick(10); left > 0; --left) {
      const Asked asked = ask();
      send(connection, asked.bytes);
      if (!hear(connection, asked)) return;
    }
    end(connection);
  }

  // The responses wait in the server and in the kernel until all requests are sent.
  void pipeline(RawClient& connection) {
    std::vector<Asked> all(2 + pick(20));
    std::string bytes;
    for (Asked& asked : all) bytes += (asked = ask(all.size() < 5 ? 7 : 5)).bytes;
    send(connection, bytes);
    for (const Asked& asked : all) {
      if (!hear(connection, asked)) return;
    }
    end(connection);
  }

  // No more responses may come than requests were sent.
  void end(RawClient& connection) {
    if (pick(2) == 0) return;
    connection.end_sending();
    EXPECT_TRUE(connection.at_end() || is_ending_);
  }

  void leave(RawClient& connection) {
    if (pick(2) == 0) connection.reset();
  }

  void leave_early(RawClient& connection) {
    std::string bytes;
    for (unsigned left = 1 + pick(4); left > 0; --left) bytes += ask().bytes;
    if (pick(3) == 0) bytes += "GET /cancelled HTTP/1.1\r\nHost: x\r\n\r\n";
    send(connection, bytes);
    if (pick(2) == 0) (void)connection.read_until("\r\n");
    leave(connection);
  }

  void ask_by_halves(RawClient& connection) {
    const std::string bytes = ask(5).bytes;
    connection.send(std::string_view(bytes).substr(0, 1 + pick(unsigned(bytes.size()) - 1)));
    if (pick(2) == 0) return leave(connection);
    connection.end_sending();
    const Reply reply = connection.reply();
    EXPECT_TRUE(reply.status == 400 || is_ending_) << reply.status << bytes;
    EXPECT_TRUE(connection.at_end() || is_ending_);
  }

  void be_cut(RawClient& connection) {
    connection.send("GET /stream_cut HTTP/1.1\r\nHost: x\r\n\r\n");
    if (pick(3) == 0) return leave(connection);
    EXPECT_FALSE(connection.read_to_end().ends_with("\r\n0\r\n\r\n"));
  }

  void upload(RawClient& connection) {
    const std::size_t size = pick(600'000);
    Asked asked;
    asked.query = std::to_string(seed_) + "." + std::to_string(++asked_);
    asked.size = asked.query.size() + 1 + std::to_string(size).size();
    connection.send("POST /stream_in?" + asked.query +
                    " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    const std::size_t sent = pick(4) == 0 ? size / 2 : size;
    connection.send(std::string(sent, 'u'));
    if (sent < size) return leave(connection);
    if (hear(connection, asked)) end(connection);
  }

  const std::uint16_t port_;
  const unsigned seed_;
  std::minstd_rand random_;
  const std::atomic<bool>& is_ending_;
  int asked_ = 0;
  std::atomic<int> answered_ = 0;
};

// Dozens of clients, each on its own thread.
class Crowd {
 public:
  explicit Crowd(std::uint16_t port) {
    for (unsigned i = 0; i < kClients; ++i) clients_.emplace_back(port, i + 1, is_ending_);
    for (Client& client : clients_) {
      threads_.emplace_back([this, &client] { client.live(is_over_); });
    }
  }
  ~Crowd() { go(); }

  // From now on the server may close connections.
  void expect_the_end() { is_ending_ = true; }
  void go() {
    is_over_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  int answered() const {
    int sum = 0;
    for (const Client& client : clients_) sum += client.answered();
    return sum;
  }
  // Waits until this many more requests were answered, or `is_done`.
  template <typename F>
  void wait_for(int more, F is_done) const {
    const TimePoint deadline = in_ten_seconds();
    const int enough = answered() + more;
    while (answered() < enough && !is_done() && SteadyClock().now() < deadline) {
      std::this_thread::yield();
    }
  }
  void wait_for(int more) const {
    wait_for(more, [] { return false; });
  }

 private:
  static constexpr unsigned kClients = 12;
  std::atomic<bool> is_over_ = false, is_ending_ = false;
  std::deque<Client> clients_;
  std::vector<std::thread> threads_;
};

TEST(ServerStress, AnswersEachRequestOnceWhateverTheOthersDo) {
  StressServer server;
  Crowd crowd(server.port());
  crowd.wait_for(1000);
  crowd.go();
  EXPECT_GT(crowd.answered(), 0);
  const TimePoint deadline = in_ten_seconds();
  while (server->open_connections() > 0 && SteadyClock().now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server->open_connections(), 0u);
  EXPECT_EQ(server->stop(in_ten_seconds()), 0u);
}

TEST(ServerStress, EndsInTheMiddleOfItAll) {
  for (int i = 0; i < 3; ++i) {
    StressServer server;
    Crowd crowd(server.port());
    crowd.wait_for(200);
    crowd.expect_the_end();
    if (i > 0) server->drain();
    if (i > 1) crowd.wait_for(50, [&] { return server->open_connections() == 0; });
    server->stop(SteadyClock().now() + milliseconds(100 * i));
    EXPECT_EQ(server->open_connections(), 0u);
    crowd.go();
    EXPECT_GT(crowd.answered(), 0);
  }
}

}  // namespace
}  // namespace bentohost::http
