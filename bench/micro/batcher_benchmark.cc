// The batch queue: the cost of queueing and taking a call, alone and with others.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "observe/metrics.h"
#include "runner/arenas.h"
#include "runner/batch_queue.h"
#include "runner/worker.h"

namespace bentohost::runner {
namespace {

CallPtr one_row() {
  auto call = std::make_shared<Call>();
  wire::Value& value = call->inputs.emplace_back();
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_F64;
  value.shape = {1, 4};
  value.data.resize(4 * sizeof(double));
  return call;
}

BatchPolicy policy() {
  BatchPolicy policy;
  policy.batchable = true;
  policy.max_batch = 100;
  return policy;
}

// range(0) calls are pushed and taken as one batch; time is per batch, items are calls.
void PushAndTake(benchmark::State& state) {
  BatchQueue queue(policy());
  std::vector<CallPtr> calls, late;
  for (int i = 0; i < state.range(0); ++i) calls.push_back(one_row());
  const TimePoint now{std::chrono::seconds(1)};
  for (auto _ : state) {
    for (const CallPtr& call : calls) queue.push(call);
    benchmark::DoNotOptimize(queue.take(now, 1, late));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(PushAndTake)->Arg(1)->Arg(10)->Arg(100);

// The frame of a batch: gathers the rows of all its calls.
void EncodeBatch(benchmark::State& state) {
  Batch batch;
  for (int i = 0; i < state.range(0); ++i) batch.calls.push_back(one_row());
  batch.rows = static_cast<std::uint32_t>(state.range(0));
  observe::Metrics metrics("bench");
  ArenaSet arenas(UniqueFd(), ArenaSet::Deps(), metrics.arenas({"bench", "batcher"}));
  AlignedBuffer frame;
  for (auto _ : state) {
    frame.clear();
    benchmark::DoNotOptimize(encode_batch(batch, 0, arenas, frame));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(EncodeBatch)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace bentohost::runner
