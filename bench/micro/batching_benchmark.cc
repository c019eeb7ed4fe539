// 64 callers that ask again as soon as they are answered, and a model that takes a known time for a
// batch: how close the throughput and the longest wait come to the ideal, a worker that always
// computes full batches. The worker is a process that sleeps for the model's time, as with a GPU.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "forked_runner.h"
#include "wire/frame.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCallers = 64;
constexpr int kBatches = 300;  // ideal ones, of each measurement

struct Model {
  Duration call, row;
  Duration of(std::size_t rows) const { return call + row * rows; }
};
constexpr Model kModels[] = {{2ms, 20us}, {100us, 0us}, {20ms, 0us}};

// The method's number says which model it is.
[[noreturn]] void work(UniqueFd in, UniqueFd out, UniqueFd) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  wire::DecodedValues values;
  answer_calls(in, out, [&](const wire::FrameReader::Frame& call, AlignedBuffer& bytes) {
    timespec until{};
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    if (!wire::decode_call(call.body, values).ok()) ::_exit(1);
    const Duration time = kModels[call.header.method].of(values.rows.size());
    const long ns = until.tv_nsec + static_cast<long>(std::chrono::nanoseconds(time).count());
    until.tv_sec += ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    wire::FrameWriter result(bytes, wire::FrameType::kResult, call.header.id, call.header.method);
    result.value_count(static_cast<std::uint32_t>(values.values.size()));
    for (const bento_value& value : values.values) result.value(value);
    (void)result.finish();
  });
}

plugin::RunnerSpec make_spec(std::uint32_t max_batch, std::uint32_t wait_us) {
  plugin::RunnerSpec spec;
  spec.name = "model";
  for (std::size_t i = 0; i < std::size(kModels); ++i) {
    plugin::MethodSpec& method = spec.methods.emplace_back();
    method.name = "m" + std::to_string(i);
    method.batchable = method.lists = true;
    method.max_batch = max_batch;
    method.max_batch_wait_us = wait_us;
    method.ins[0].kind = method.outs[0].kind = BENTO_BYTES;
  }
  return spec;
}

// range(0): the model; range(1): max_batch; range(2): max_batch_wait_us.
void Batching(benchmark::State& state) {
  const auto index = static_cast<std::uint32_t>(state.range(0));
  const auto max_batch = static_cast<std::uint32_t>(state.range(1));
  const Model& model = kModels[index];
  const std::size_t full = std::min<std::size_t>(max_batch, kCallers);
  Host host(make_spec(max_batch, static_cast<std::uint32_t>(state.range(2))), &work);
  Target target = host.target();
  target.method = index;
  const SteadyClock clock;

  std::vector<Duration> latencies;
  std::size_t answered = 0;
  bool goes_on = true;
  std::size_t asking = 0;
  const std::function<void()> ask = [&] {
    ++asking;
    std::vector<wire::Value> inputs(1);
    inputs[0].kind = BENTO_BYTES;
    inputs[0].data.assign(40, 's');
    (void)Client::submit(target, std::move(inputs), Client::CallLimits(),
                         [&, began = clock.now()](const CallResult& result) {
                           if (!result.status.ok()) std::abort();
                           latencies.push_back(clock.now() - began);
                           ++answered;
                           --asking;
                           if (goes_on) ask();
                         });
  };
  host.on_loop([&] {
    for (std::size_t i = 0; i < kCallers; ++i) ask();
  });
  const std::size_t goal = full * kBatches;
  while (answered < goal / 10) host.step();
  for (auto _ : state) {
    latencies.clear();
    answered = 0;
    const TimePoint begin = clock.now();
    while (answered < goal) host.step();
    const Duration time = clock.now() - begin;
    state.SetIterationTime(seconds(time));
    std::sort(latencies.begin(), latencies.end());
    const double ideal = seconds(model.of(full));
    state.counters["of_ideal"] =
        static_cast<double>(answered) / seconds(time) / (static_cast<double>(full) / ideal);
    state.counters["p50_batches"] = seconds(latencies[latencies.size() / 2]) / ideal;
    state.counters["p99_batches"] = seconds(latencies[latencies.size() * 99 / 100]) / ideal;
    state.counters["longest_batches"] = seconds(latencies.back()) / ideal;
    state.counters["calls_per_s"] = static_cast<double>(answered) / seconds(time);
  }
  goes_on = false;
  while (asking != 0) host.step();
}
BENCHMARK(Batching)
    ->ArgNames({"model", "max_batch", "wait_us"})
    ->ArgsProduct({{0, 1, 2}, {32}, {0}})
    ->Args({0, 64, 500})
    ->Args({1, 64, 50})
    ->Args({2, 64, 1000})
    ->Args({2, 64, 0})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bentohost::runner
