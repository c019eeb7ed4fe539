// The batch queue: the cost of queueing and taking a call, alone and with others.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "observe/metrics.h"
#include "runner/arenas.h"
#include "runner/batch_frame.h"
#include "runner/batch_queue.h"
#include "runner/result.h"
#include "wire/frame.h"

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
  plugin::MethodSpec method;
  method.batchable = true;
  AlignedBuffer frame;
  for (auto _ : state) {
    frame.clear();
    benchmark::DoNotOptimize(encode_batch(batch, method, arenas, frame));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(EncodeBatch)->Arg(1)->Arg(10)->Arg(100);

// Lists of strings of 40 bytes: encoded, decoded as the worker does, and its result, a string for
// each caller, encoded, decoded and delivered.
void BatchOfStrings(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  Batch batch;
  std::size_t heard = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    auto call = std::make_shared<Call>();
    wire::Value& value = call->inputs.emplace_back();
    value.kind = BENTO_BYTES;
    value.mime = "text/plain";
    value.data.assign(40, 's');
    call->request_id = "0123456789abcdef";
    call->done = [&heard](const CallResult& result) { heard += result.values[0].bytes.len; };
    batch.calls.push_back(std::move(call));
  }
  batch.rows = n;
  plugin::MethodSpec method;
  method.batchable = method.lists = true;
  observe::Metrics metrics("bench");
  ArenaSet arenas(UniqueFd(), ArenaSet::Deps(), metrics.arenas({"bench", "batcher"}));
  AlignedBuffer call, answer;
  wire::DecodedValues inputs, outputs;
  wire::FrameReader reader;
  const auto body_of = [](const AlignedBuffer& frame) {
    return std::span<const char>(frame).subspan(
        wire::kHeaderSize, static_cast<std::size_t>(wire::decode_header(frame)->body_length));
  };
  for (auto _ : state) {
    call.clear();
    answer.clear();
    (void)encode_batch(batch, method, arenas, call);
    (void)wire::decode_call(body_of(call), inputs);
    wire::FrameWriter result(answer, wire::FrameType::kResult, 1, 0);
    result.value_count(n);
    for (const bento_value& value : inputs.values) result.value(value);
    (void)result.finish();
    (void)wire::decode_result(body_of(answer), outputs);
    ResultFrame frame(reader, {}, {});
    for (const CallPtr& each : batch.calls) each->finished = false;
    benchmark::DoNotOptimize(deliver_batch(batch, outputs, method, frame).ok());
  }
  benchmark::DoNotOptimize(heard);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BatchOfStrings)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace bentohost::runner
