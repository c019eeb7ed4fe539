// The cost of routing a request: a hit, a miss and a wrong method, with few and with many routes; a
// route with a parameter, and a mount. The cost should not grow with the number of routes, and
// find() should not allocate.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "http/route/router.h"

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

// As above, with a parameter in each route, and a mount.
Router<int> deep_router_with(std::int64_t routes) {
  Router<int> router = router_with(routes);
  for (std::int64_t i = 1; i < routes; ++i) {
    (void)router.add("POST", "/v1/model_" + std::to_string(i) + "/versions/{version}:predict", 1);
  }
  (void)router.mount("/app", 1);
  return router;
}

void find(benchmark::State& state, const Router<int>& router, std::string_view method,
          std::string_view path, bool expected) {
  if ((router.find(method, path).target != nullptr) != expected) {
    state.SkipWithError("the router did not give the result that this benchmark measures");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.find(method, path));
  }
}

void BM_RouterFindsAnApi(benchmark::State& state) {
  find(state, router_with(state.range(0)), "POST", kHit, true);
}
void BM_RouterFindsALongPath(benchmark::State& state) {
  find(state, router_with(state.range(0)), "POST", "/v2/models/model_1/infer", true);
}
void BM_RouterFindsAnApiBesideTemplates(benchmark::State& state) {
  find(state, deep_router_with(state.range(0)), "POST", kHit, true);
}
void BM_RouterFindsATemplate(benchmark::State& state) {
  find(state, deep_router_with(state.range(0)), "POST", "/v1/model_1/versions/7:predict", true);
}
void BM_RouterFindsAMount(benchmark::State& state) {
  find(state, deep_router_with(state.range(0)), "GET", "/app/index.html", true);
}
void BM_RouterMisses(benchmark::State& state) {
  find(state, router_with(state.range(0)), "POST", "/favicon.ico", false);
}
// With the Allow header, which is made only for a wrong method.
void BM_RouterRefusesAMethod(benchmark::State& state) {
  const Router<int> router = router_with(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.find("DELETE", kHit));
    benchmark::DoNotOptimize(router.allow(kHit));
  }
}

BENCHMARK(BM_RouterFindsAnApi)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterFindsALongPath)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterFindsAnApiBesideTemplates)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterFindsATemplate)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterFindsAMount)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterMisses)->Arg(2)->Arg(16)->Arg(1024);
BENCHMARK(BM_RouterRefusesAMethod)->Arg(2)->Arg(16)->Arg(1024);

}  // namespace
}  // namespace bentohost::http
