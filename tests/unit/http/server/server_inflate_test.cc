// Bodies that inflate to a large size: on threads, and within the memory limit of bodies.
#include <gtest/gtest.h>

#include <latch>
#include <string>

#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "http/parse/request_reader.h"
#include "unit/http/compress.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

constexpr std::size_t kLarge = 8 * RequestReader::kInflatedAtOnce;
const std::string kGet = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";

std::string large_request() {
  const std::string body = compress(compressible_text(kLarge), kGzip);
  return "POST /large HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void tell_length(Exchange& exchange) {
  exchange.respond(Response::text(200, std::to_string(exchange.request().body.size())));
}
BodyPlan whole(const Request&) { return {}; }

TEST(ServerInflate, LeavesTheLoopsToOthers) {
  ThreadPool threads(1, 1);
  std::latch release(1);
  threads.run([&release] { release.wait(); });
  ServerOptions options;
  options.threads = &threads;
  TestServer server(tell_length, whole, std::move(options));

  RawClient large(server.port());
  large.send(large_request());
  // There are two loops: one of these clients is on the loop of the large body.
  RawClient one(server.port()), other(server.port());
  while (threads.load().waiting == 0) {
    ASSERT_EQ(one.ask(kGet).status, 200);
    ASSERT_EQ(other.ask(kGet).status, 200);
    ASSERT_TRUE(server.refused().empty());
  }
  EXPECT_EQ(one.ask(kGet).status, 200);
  EXPECT_EQ(other.ask(kGet).status, 200);

  release.count_down();
  EXPECT_EQ(large.reply().body, std::to_string(kLarge));
  EXPECT_EQ(large.ask(kGet).status, 200) << "the connection goes on";
  threads.stop(in_ten_seconds());
}

TEST(ServerInflate, DoesWithoutThreads) {
  TestServer server(tell_length);
  EXPECT_EQ(RawClient(server.port()).ask(large_request()).body, std::to_string(kLarge));
}

TEST(ServerInflate, RefusesWhatNoThreadCanTake) {
  ThreadPool threads(ThreadPool::Options{.max_threads = 1, .permits = 1, .max_waiting = 0});
  std::latch begun(1), release(1);
  threads.run([&] {
    begun.count_down();
    release.wait();
  });
  begun.wait();
  ServerOptions options;
  options.threads = &threads;
  TestServer server(tell_length, whole, std::move(options));
  EXPECT_EQ(RawClient(server.port()).ask(large_request()).status, 503);
  EXPECT_EQ(server.reasons(), std::vector<std::string>{"handler_queue"});
  release.count_down();
  threads.stop(in_ten_seconds());
}

TEST(ServerInflate, CountsWhatItMakes) {
  ThreadPool threads(1, 1);
  MemoryBudget memory(kLarge / 2);
  ServerOptions options;
  options.threads = &threads;
  options.body_memory = &memory;
  {
    TestServer server(tell_length, whole, std::move(options));
    const Reply reply = RawClient(server.port()).ask(large_request());
    EXPECT_EQ(reply.status, 503);
    EXPECT_NE(reply.body.find("--max-body-memory"), std::string::npos);
    EXPECT_EQ(server.reasons(), std::vector<std::string>{"body_memory"});
  }
  EXPECT_EQ(memory.used(), 0u);
  threads.stop(in_ten_seconds());
}

TEST(ServerInflate, GivesAStreamedBodyInPieces) {
  ThreadPool handlers(4, 4);
  std::size_t largest = 0;
  const Handler sum = [&](Exchange& exchange) {
    handlers.run([&exchange, &largest] {
      std::size_t size = 0;
      for (bool more = true; more;) {
        auto piece = exchange.receive();
        if (!piece.ok()) break;
        largest = std::max(largest, piece->bytes.size());
        size += piece->bytes.size();
        more = piece->more;
      }
      exchange.respond(Response::text(200, std::to_string(size)));
    });
  };
  TestServer server(sum, {}, BodyPlan{0, true});
  EXPECT_EQ(RawClient(server.port()).ask(large_request()).body, std::to_string(kLarge));
  EXPECT_LE(largest, 3 * RequestReader::kInflatedAtOnce + Inflater::kStep * 4);
  handlers.stop(in_ten_seconds());
}

}  // namespace
}  // namespace bentohost::http
