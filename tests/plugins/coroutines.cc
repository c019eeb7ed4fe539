// Handlers that are coroutines, through the real host: what each waits for is in its name.
#include <atomic>
#include <bento/bento.hpp>
#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bento::Async;
using bento::Context;
using bento::Generator;
using Text = std::string_view;

// What GET /counts tells: frames of coroutines; those that were cancelled, and too late.
std::atomic<int> alive = 0, cancelled = 0, late = 0, tasks = 0;

struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
};

// Counts how a coroutine's wait has ended.
void note(const bento::Error& error) {
  if (error.code() == BENTO_CANCELLED) ++cancelled;
  if (error.code() == BENTO_DEADLINE_EXCEEDED) ++late;
}

int to_int(Text text) { return std::stoi(std::string(text)); }

struct Worker {
  std::string shout(Text text) {
    if (text == "nothing") throw bento::Error(BENTO_NOT_FOUND, "nothing to shout");
    return std::string(text) + "!";
  }
  std::string nap(Text ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(to_int(ms)));
    return std::string(ms);
  }
};

struct Point {
  std::int64_t x = 0, y = 0;
};
BENTO_FIELDS(Point, x, y)

void throw_what(Text what) {
  if (what == "error") throw bento::Error(BENTO_NOT_FOUND, "there is no such thing");
  if (what == "status") throw bento::Error(BENTO_INTERNAL, "a teapot", 418);
  if (what == "exception") throw std::runtime_error("out of luck");
  if (what == "int") throw 17;
  if (what == "memory") throw std::bad_alloc();
}

bento::Router make_router(bento::Method<std::string, Text> shout) {
  bento::Router app;
  app.get("/shout/{text}", [=](Context& ctx, const bento::PathParams& path) -> Async<std::string> {
    co_return co_await shout.async_run(ctx, path.get("text"));
  });
  app.post("/point", [](Context& ctx, Point point) -> Async<Point> {
    co_await bento::sleep(ctx, 1ms);
    co_return Point{point.y, point.x};
  });
  app.get("/count/{n}", [](const bento::PathParams& path, bento::AsyncEventStream& out) -> Async<> {
    const int n = path.get<int>("n");
    for (int i = 0; i < n; ++i) co_await out.send({.data = std::to_string(i)});
  });
  app.get("/thread", [] { return std::string("from a thread"); });
  app.get("/fails", [](Context& ctx) -> Async<std::string> {
    co_await bento::sleep(ctx, 1ms);
    throw bento::Error(BENTO_NOT_FOUND, "not there");
  });
  return app;
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("coroutines").version("1.0");
  auto worker = svc.runner<Worker>("worker");
  auto shout = worker.method<&Worker::shout>("shout");
  auto nap = worker.method<&Worker::nap>("nap");
  auto other = svc.runner<Worker>("other");
  auto other_nap = other.method<&Worker::nap>("nap");

  svc.api("shout", [=](Context& ctx, Text text) -> Async<std::string> {
    const Counted counted;
    try {
      co_return co_await shout.async_run(ctx, text);
    } catch (const bento::Error& error) {
      note(error);
      throw;
    }
  });
  svc.api("both_nap", [=](Context& ctx, Text ms) -> Async<std::string> {
    auto a = nap.async_run(ctx, ms);
    auto b = other_nap.async_run(ctx, ms);
    co_return co_await a + "+" + co_await b;
  });
  svc.api("all", [=](Context& ctx, Text text) -> Async<std::string> {
    auto [a, b, nothing, n] =
        co_await bento::all(shout.async_run(ctx, text), other_nap.async_run(ctx, "1"),
                            bento::sleep(ctx, 1ms), bento::on_thread(ctx, [] { return 7; }));
    co_return a + b + std::to_string(n);
  });
  svc.api("first", [=](Context& ctx, Text ms) -> Async<std::string> {
    auto won = co_await bento::first(nap.async_run(ctx, ms), bento::sleep(ctx, 200ms));
    co_return won.index() == 0 ? "the nap" : "the clock";
  });
  svc.api("within", [=](Context& ctx, Text ms) -> Async<std::string> {
    co_return co_await nap.async_run(ctx, ms).within(200ms);
  });
  svc.api("sleep", [](Context& ctx, Text ms) -> Async<std::string> {
    const Counted counted;
    try {
      co_await bento::sleep(ctx, std::chrono::milliseconds(to_int(ms)));
    } catch (const bento::Error& error) {
      note(error);
      throw;
    }
    co_return "slept";
  });
  svc.api("thread", [](Context& ctx, Text text) -> Async<std::string> {
    const auto loop = std::this_thread::get_id();
    const auto worker_thread =
        co_await bento::on_thread(ctx, [] { return std::this_thread::get_id(); });
    const bool is_back = std::this_thread::get_id() == loop;
    co_await bento::on_thread(ctx, [&] { throw_what(text); });
    co_return worker_thread != loop&& is_back ? "elsewhere and back" : "wrong";
  });
  svc.api("promise", [](Context& ctx, Text text) -> Async<std::string> {
    bento::Promise<std::string> promise(ctx);
    std::thread([resolver = promise.resolver(), words = std::string(text)] {
      resolver.resolve(words + " from a thread");
    }).detach();
    co_return co_await promise;
  });
  svc.api("throws", [=](Context&, Text what) -> Async<std::string> {
    throw_what(what);
    co_return "fine";
  });
  svc.api("throws_late", [=](Context& ctx, Text what) -> Async<std::string> {
    co_await shout.async_run(ctx, "a");
    throw_what(what);
    co_return "fine";
  });
  svc.api("throws_on_thread", [](Text what) -> std::string {
    throw_what(what);
    return "fine";
  });
  svc.api("blocks",
          [=](Context& ctx, Text text) -> Async<std::string> { co_return shout.run(ctx, text); });
  svc.api("tasks", [](Text text) -> Async<bento::TaskResponse<std::string>> {
    co_return bento::TaskResponse{std::string(text), [] { ++tasks; }};
  });
  // Tasks that are coroutines: each waits for something else. The last counts those that were
  // right.
  svc.api("async_tasks", [=](Text text) -> Async<bento::TaskResponse<std::string>> {
    bento::BackgroundTasks row;
    const auto right = std::make_shared<int>(0);
    row.add_task(
        [=](Context& task, const std::string& word) -> Async<> {
          const Counted counted;
          if (co_await shout.async_run(task, word) == word + "!") ++*right;
        },
        std::string(text));
    row.add_task([right] { ++*right; });
    row.add_task([right](Context& task) -> Async<> {
      const Counted counted;
      co_await bento::sleep(task, 1ms);
      const auto here = std::this_thread::get_id();
      if (co_await bento::on_thread(task, [] { return std::this_thread::get_id(); }) != here)
        ++*right;
      if (here == std::this_thread::get_id()) ++*right;
    });
    row.add_task([right] { tasks += *right; });
    co_return bento::TaskResponse{std::string(text), std::move(row)};
  });
  svc.api("remind", [=](Context& ctx, Text text) {
    ctx.defer(
        [=](Context& task, const std::string& word) -> Async<> {
          co_await bento::sleep(task, 1ms);
          co_await shout.async_run(task, word);
          ++tasks;
        },
        std::string(text));
    return std::string(text);
  });
  svc.api("task_fails", [](Context& ctx, Text text) {
    ctx.defer([](Context& task) -> Async<> {
      co_await bento::sleep(task, 1ms);
      throw std::runtime_error("the task gave up");
    });
    ctx.defer([] { ++tasks; });
    return std::string(text);
  });
  svc.api("task_waits", [](Context& ctx, Text hours) {
    ctx.defer(
        [](Context& task, int n) -> Async<> {
          const Counted counted;
          co_await bento::sleep(task, std::chrono::hours(n));
        },
        to_int(hours));
    return std::string(hours);
  });
  svc.api("many", [=](Context& ctx, Text n) -> Async<std::string> {
    const auto one = []() -> Async<int> { co_return 1; };
    int sum = 0;
    for (int i = 0; i < to_int(n); ++i) sum += co_await one();
    std::vector<bento::Future<std::string>> calls;
    for (int i = 0; i < 8; ++i) calls.push_back(shout.async_run(ctx, std::to_string(i)));
    std::string text = std::to_string(sum);
    for (const std::string& each : co_await bento::all(calls)) text += " " + each;
    co_return text;
  });

  svc.api("upload", {.max_body = 1u << 30}, [](bento::AsyncStream& stream) -> Async<> {
    const Counted counted;
    std::uint64_t bytes = 0;
    while (const auto piece = co_await stream.receive()) bytes += piece->size();
    stream.start(200, "text/plain");
    co_await stream.end(std::to_string(bytes));
  });
  svc.api("reflect", {.max_body = 1u << 30}, [](bento::AsyncStream& stream) -> Async<> {
    const Counted counted;
    while (const auto piece = co_await stream.receive()) co_await stream.send(*piece);
  });
  svc.api("download", {.route = "/download/{bytes}", .method = "GET"},
          [](Context& ctx, bento::AsyncStream& stream) -> Async<> {
            const Counted counted;
            auto left = std::stoull(std::string(ctx.path_param("bytes")));
            const std::string piece(64u << 10, 'x');
            for (; left > piece.size(); left -= piece.size()) co_await stream.send(piece);
            co_await stream.end(std::string_view(piece).substr(0, left));
          });
  svc.api("ticks", {.route = "/ticks/{ms}", .method = "GET"},
          [](Context& ctx, bento::AsyncEventStream& out) -> Async<> {
            const Counted counted;
            const std::chrono::milliseconds pause(to_int(ctx.path_param("ms")));
            co_await out.open();
            try {
              for (int i = 0;; ++i) {
                co_await bento::sleep(ctx, pause);
                co_await out.send({.data = std::to_string(i)});
              }
            } catch (const bento::Error& error) {
              note(error);
              throw;
            }
          });
  svc.api("breaks_off", {.method = "GET"}, [](Context& ctx, bento::AsyncStream& stream) -> Async<> {
    co_await stream.send("some");
    co_await bento::sleep(ctx, 1ms);
    throw std::runtime_error("broken off");
  });
  svc.api("letters", [](Context& ctx, std::string text) -> Generator<bento::Event> {
    const Counted counted;
    for (const char c : text) {
      co_await bento::sleep(ctx, 1ms);
      co_yield {.data = std::string(1, c), .event = "letter"};
    }
  });
  svc.api("points", [](Point point) -> Generator<Point> {
    if (point.x < 0) throw bento::Error(BENTO_INVALID_ARGUMENT, "no such points");
    for (std::int64_t x = 0; x < point.x; ++x) co_yield Point{x, point.y};
  });
  svc.api("texts", [](Context&) -> Generator<std::string> {
    const Counted counted;
    for (int i = 0; i < 1'000'000; ++i) co_yield "0123456789abcde\n";
  });
  svc.api("counts", {.method = "GET"}, [](Context&) {
    return bento::Json{
        "{\"alive\":" + std::to_string(alive) + ",\"cancelled\":" + std::to_string(cancelled) +
        ",\"late\":" + std::to_string(late) + ",\"tasks\":" + std::to_string(tasks) + "}"};
  });
  svc.mount("/web", make_router(shout));
  svc.mount("/app", [](const bento::Request& request) -> Async<bento::Response> {
    co_return bento::Response{.status = 201, .body = request.body};
  });
}
