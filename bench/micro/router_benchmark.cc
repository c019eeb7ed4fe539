// What routing costs a request: a hit, a miss and a wrong method, with few and with many routes. It
// should not grow with the number of routes, and a hit should not allocate.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "http/router.h"

namespace bentohost::http {
namespace {

constexpr std::string_view kHit = "/classify";

Router<int> router_with(std::int64_t routes) {
  Router<int> router;
  (void)router.add("POST", kHit, 1);
  for (std::int64_t i = 1; i < routes; ++i) {
    (void)router.add("POST", "/v2/models/model_" + std::to_string(i) + "/infer", 1);
  }
  return router;
}

void find(benchmark::State& state, std::string_view method, std::string_view path, bool expected) {
  const Router<int> router = router_with(state.range(0));
  if ((router.find(method, path).target != nullptr) != expected) {
    state.SkipWithError("the router answered otherwise than this benchmark is about");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.find(method, path));
  }
}

void BM_RouterFindsAnApi(benchmark::State& state) { find(state, "POST", kHit, true); }
void BM_RouterFindsALongPath(benchmark::State& state) {
  find(state, "POST", "/v2/models/model_1/infer", true);
}
void BM_RouterMisses(benchmark::State& state) { find(state, "POST", "/favicon.ico", false); }
void BM_RouterRefusesAMethod(benchmark::State& state) { find(state, "DELETE", kHit, false); }

BENCHMARK(BM_RouterFindsAnApi)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterFindsALongPath)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterMisses)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterRefusesAMethod)->Arg(2)->Arg(16)->Arg(1024);

}  // namespace
}  // namespace bentohost::http
