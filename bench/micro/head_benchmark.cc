// What the head of a request costs: finding its end and taking it apart, of a load generator's few
// lines and of a browser's many; a date of If-Modified-Since; and putting off a connection's
// deadline, which each request does several times.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop/timer_queue.h"
#include "http/date.h"
#include "http/parse/head.h"

namespace bentohost::http {
namespace {

constexpr std::string_view kSmall =
    "POST /classify HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nContent-Type: application/json\r\n"
    "Content-Length: 19\r\n\r\n";
constexpr std::string_view kBrowser =
    "GET /models/iris/3:show?verbose=1&lang=en HTTP/1.1\r\nHost: models.example.com\r\n"
    "Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\nAccept: text/html,"
    "application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cache-Control: max-age=0\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: none\r\nUpgrade-Insecure-Requests: 1\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "X-Request-Id: 8d5c0b7e-7f65-4a3f-9d8e-1c2b3a4d5e6f\r\n\r\n";

void read_head(benchmark::State& state, std::string_view bytes) {
  Request request;
  Framing framing;
  for (auto _ : state) {
    HeadScanner scanner;
    if (!scanner.scan(bytes).ok() ||
        !parse_head(bytes.substr(0, scanner.size()), request, framing).ok()) {
      state.SkipWithError("the head was refused");
      return;
    }
    benchmark::DoNotOptimize(framing);
  }
}
BENCHMARK_CAPTURE(read_head, small, kSmall);
BENCHMARK_CAPTURE(read_head, browser, kBrowser);

void read_date(benchmark::State& state, std::string_view text) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_http_date(text, 1'700'000'000));
}
BENCHMARK_CAPTURE(read_date, imf_fixdate, "Sun, 06 Nov 1994 08:49:37 GMT");
BENCHMARK_CAPTURE(read_date, rfc850, "Sunday, 06-Nov-94 08:49:37 GMT");
BENCHMARK_CAPTURE(read_date, asctime, "Sun Nov  6 08:49:37 1994");

void BM_PutsATimerOff(benchmark::State& state) {
  struct Owner final : Timer::Owner {
    void on_timer() override {}
  } owner;
  TimerQueue queue;
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    timers.push_back(std::make_unique<Timer>(queue, owner));
    timers.back()->set(TimePoint{} + std::chrono::seconds(60) + std::chrono::microseconds(i));
  }
  TimePoint when = TimePoint{} + std::chrono::seconds(75);
  std::size_t next = 0;
  for (auto _ : state) {
    timers[next]->set(when += std::chrono::microseconds(1));
    if (++next == timers.size()) next = 0;
  }
}
BENCHMARK(BM_PutsATimerOff)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace bentohost::http
