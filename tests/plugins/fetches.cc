// Fetches of handlers on loops, on threads and behind middleware that waits, of tasks, and as
// streams. The body of a request is what is to be fetched, as JSON.
#include <atomic>
#include <bento/bento.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bento::Async;
using bento::Context;

// What GET /counts tells.
std::atomic<int> alive = 0, cancelled = 0, late = 0, tasks = 0, failed_tasks = 0;

struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
};

struct Ask {
  std::string url;
  std::string method = "GET";
  std::string body = {};
  std::int64_t timeout_ms = 0;
  std::int64_t connect_timeout_ms = 0;
  std::int64_t max_bytes = 0;
  std::string header = {};  // "Name: value"
};
BENTO_FIELDS(Ask, url, method, body, timeout_ms, connect_timeout_ms, max_bytes, header)

struct Got {
  std::int64_t status = 0;
  std::string body;
  std::string headers;
};
BENTO_FIELDS(Got, status, body, headers)

bento::FetchRequest request_of(const Ask& ask) {
  bento::FetchRequest request{.method = ask.method, .url = ask.url, .body = ask.body};
  request.timeout = std::chrono::milliseconds(ask.timeout_ms);
  request.connect_timeout = std::chrono::milliseconds(ask.connect_timeout_ms);
  request.max_response_bytes = static_cast<std::uint64_t>(ask.max_bytes);
  const std::size_t colon = ask.header.find(": ");
  if (colon != std::string::npos) {
    const std::string_view header = ask.header;
    request.headers = {{header.substr(0, colon), header.substr(colon + 2)}};
  }
  return request;
}

Got got(const bento::FetchResponse& response) {
  Got all{response.status, response.body, {}};
  for (const auto& [name, value] : response.headers) all.headers += name + ": " + value + "\n";
  return all;
}

void note(const bento::Error& error) {
  if (error.code() == BENTO_CANCELLED) ++cancelled;
  if (error.code() == BENTO_DEADLINE_EXCEEDED) ++late;
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("fetches").version("1.0");
#ifdef WRAPS
  svc.use("waits", [](bento::Call& call, const bento::Next& next) { next(call); });
#endif
  // The examples of the guide.
  svc.api("ask", [](bento::Context& ctx, std::string_view question) -> bento::Async<std::string> {
    auto answer = co_await ctx.fetch({.method = "POST",
                                      .url = "https://models.example/v1/ask",
                                      .headers = {{"Content-Type", "text/plain"}},
                                      .body = question,
                                      .timeout = 2s});
    answer.check();  // throws unless the status is 200 to 299
    co_return answer.body;
  });
  svc.api("relay", [](bento::Context& ctx, bento::AsyncStream& out) -> bento::Async<> {
    auto stream = ctx.fetch_stream({.url = "http://models.example/tokens", .timeout = 5min});
    (co_await stream.head()).check();
    out.start(200, "text/event-stream", {});
    while (auto piece = co_await stream.next()) co_await out.send(*piece);
  });

  svc.api("loop", [](Context& ctx, Ask ask) -> Async<Got> {
    const Counted counted;
    try {
      const bento::FetchResponse response = co_await ctx.fetch(request_of(ask));
      co_return got(response);
    } catch (const bento::Error& error) {
      note(error);
      throw;
    }
  });
  svc.api("thread", [](Context& ctx, Ask ask) {
    const Counted counted;
    try {
      return got(ctx.fetch(request_of(ask)).get());
    } catch (const bento::Error& error) {
      note(error);
      throw;
    }
  });
  svc.api("plain", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto response = co_await ctx.fetch(url);
    response.check();
    co_return response.body;
  });
  svc.api("posts", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto response = co_await ctx.fetch({.method = "POST",
                                        .url = std::string(url) + "echo",
                                        .headers = {{"Content-Type", "text/plain"}, {"X-Two", "2"}},
                                        .body = std::string(3, 'x'),
                                        .timeout = 20s});
    co_return response.body + " " + std::string(response.headers.get("x-seen-two"));
  });
  svc.api("all", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto [a, b] = co_await bento::all(ctx.fetch(url), ctx.fetch(url));
    auto won = co_await bento::first(ctx.fetch(url), bento::sleep(ctx, 60s));
    co_return a.body + b.body + std::to_string(won.index());
  });
  svc.api("within", [](Context& ctx, std::string_view url) -> Async<std::string> {
    co_return (co_await ctx.fetch(url).within(200ms)).body;
  });
  svc.api("blocks", [](Context& ctx, std::string_view url) -> Async<std::string> {
    co_return ctx.fetch(url).get().body;
  });
  svc.api("drops", [](Context& ctx, std::string_view url) -> Async<std::string> {
    { const bento::Fetch given_up = ctx.fetch(url); }
    co_await bento::sleep(ctx, 1ms);
    co_return "dropped";
  });
  svc.api("stream", [](Context& ctx, bento::AsyncStream& out) -> Async<> {
    const Counted counted;
    auto stream = ctx.fetch_stream({.url = ctx.header("x-url"), .timeout = 60s});
    const bento::FetchResponse& head = co_await stream.head();
    out.start(200, "application/octet-stream", {{"X-Status", std::to_string(head.status)}});
    while (auto piece = co_await stream.next()) co_await out.send(*piece);
  });
  svc.api("stream_on_thread", [](Context& ctx, Ask ask) {
    auto stream = ctx.fetch_stream(request_of(ask));
    std::uint64_t size = 0;
    const int status = stream.head().get().status;
    while (auto piece = stream.next().get()) size += piece->size();
    return std::to_string(status) + " " + std::to_string(size);
  });
  svc.api("later", [](Context& ctx, Ask ask) {
    ctx.defer([ask](Context& task) {
      try {
        task.fetch(request_of(ask)).get().check();
        ++tasks;
      } catch (const bento::Error&) {
        ++failed_tasks;
        throw;
      }
    });
    return std::string("later");
  });
  svc.api("quick", {.quick = true},
          [](Context& ctx, std::string_view url) { return ctx.fetch(url).get().body; });
  svc.api("counts", {.method = "GET"}, [](Context&) {
    return bento::Json{"{\"alive\":" + std::to_string(alive) +
                       ",\"cancelled\":" + std::to_string(cancelled) +
                       ",\"late\":" + std::to_string(late) + ",\"tasks\":" + std::to_string(tasks) +
                       ",\"failed_tasks\":" + std::to_string(failed_tasks) + "}"};
  });
}
