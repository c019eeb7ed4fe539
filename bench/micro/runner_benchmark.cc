// A pool and one real worker process that echoes its input: what a runner call costs beyond the
// model. The host's side is the program's own code, stepped on one thread.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/process/shared_memory.h"
#include "forked_runner.h"
#include "runner/client.h"
#include "runner/output_sink.h"
#include "runner/worker_arenas.h"
#include "wire/frame.h"

namespace bentohost::runner {
namespace {

// The worker: answers each call with a copy of its first input, until its pipe ends.
[[noreturn]] void echo(UniqueFd in, UniqueFd out, UniqueFd channel) {
  WorkerArenas arenas(std::move(channel));
  OutputSink sink(&arenas);
  wire::DecodedValues values;
  answer_calls(in, out, [&](const wire::FrameReader::Frame& call, AlignedBuffer& bytes) {
    if (!wire::decode_call(call.body, values, &arenas).ok()) ::_exit(1);
    const bento_tensor& input = values.values[0].tensor;
    void* const output =
        sink.get()->tensor(sink.get(), {}, input.dtype, input.ndim, input.shape, nullptr);
    std::memcpy(output, input.data.ptr, input.data.len);
    wire::FrameWriter result(bytes, wire::FrameType::kResult, call.header.id, 0);
    result.value_count(1);
    if (const std::uint32_t arena = sink.arena_of(0); arena != 0) {
      result.value_in(arena, sink.views()[0]);
    } else {
      result.value(sink.views()[0]);
    }
    (void)result.finish();
    for (std::size_t i = 0; i < sink.size(); ++i) sink.hand_over_arena(i);
    sink.clear();
  });
}

plugin::RunnerSpec echo_spec() {
  plugin::RunnerSpec spec;
  spec.name = "echo";
  plugin::MethodSpec method;
  method.name = "run";
  method.batchable = true;
  method.max_batch = 64;
  method.ins[0].kind = method.outs[0].kind = BENTO_TENSOR;
  method.ins[0].dtype = BENTO_F32;
  spec.methods.push_back(std::move(method));
  return spec;
}

wire::Value floats(std::size_t bytes) {
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_F32;
  value.shape = {1, static_cast<std::int64_t>(bytes / sizeof(float))};
  value.data.resize(bytes);
  std::memset(value.data.data(), 0, bytes);
  return value;
}

// range(0) tickets in one batch, each with range(1) bytes in and out. Items are calls.
void TicketsOfOneBatch(benchmark::State& state) {
  Host host(echo_spec(), &echo);
  const wire::Value input = floats(static_cast<std::size_t>(state.range(1)));
  const bento_value view = input.view();
  const bento_value* const inputs[] = {&view};
  std::vector<plugin::TicketPtr> tickets(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    bool has_come = false;
    host.on_loop([&] {
      for (auto& ticket : tickets)
        ticket = *Client::submit(host.target(), inputs, Client::CallLimits());
      // It is the last in their batch.
      std::vector<wire::Value> last{input};
      (void)Client::submit(host.target(), std::move(last), Client::CallLimits(),
                           [&](const CallResult&) { has_come = true; });
    });
    while (!has_come) host.step();
    for (auto& ticket : tickets) benchmark::DoNotOptimize((*ticket->wait())[0]->tensor.data.ptr);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(TicketsOfOneBatch)->Args({1, 32})->Args({16, 32})->Args({63, 32})->Args({16, 16 << 10});

// ---- a large tensor to the worker and back; the caller reads the result where it is ----

void call_with(benchmark::State& state, std::size_t arena_bytes) {
  Host host(echo_spec(), &echo, arena_bytes);
  const wire::Value input = floats(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();  // the caller's own tensor
    std::vector<wire::Value> inputs{input};
    state.ResumeTiming();
    bool has_come = false;
    auto calls = Client::submit(host.target(), std::move(inputs), Client::CallLimits(),
                                [&](const CallResult& result) {
                                  benchmark::DoNotOptimize(result.values[0].tensor.data.ptr);
                                  has_come = true;
                                });
    while (!has_come) host.step();
    state.PauseTiming();
    calls = Status(BENTO_CANCELLED, "over");  // frees the tensor
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * 2 * state.range(0));
}
void CallThroughPipes(benchmark::State& state) { call_with(state, 0); }
void CallThroughArenas(benchmark::State& state) { call_with(state, std::size_t{1} << 30); }

// What there is to win: the same two copies, into the shared memory and by the worker, with nothing
// around them. The processes wake each other by a byte in a pipe.
void BareMemfd(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const SharedMemory::Made in = *SharedMemory::create(bytes), out = *SharedMemory::create(bytes);
  int call[2], answer[2];
  if (::pipe2(call, O_CLOEXEC) != 0 || ::pipe2(answer, O_CLOEXEC) != 0) std::abort();
  const pid_t pid = ::fork();
  char mark = 0;
  if (pid == 0) {
    ::close(call[1]);
    const SharedMemory from = *SharedMemory::map(in.fd, bytes);
    const SharedMemory to = *SharedMemory::map(out.fd, bytes);
    while (::read(call[0], &mark, 1) == 1) {
      std::memcpy(to.data(), from.data(), bytes);
      if (::write(answer[1], &mark, 1) != 1) break;
    }
    ::_exit(0);
  }
  const wire::Value input = floats(bytes);
  for (auto _ : state) {
    state.PauseTiming();
    std::optional<wire::Value> own(input);
    state.ResumeTiming();
    std::memcpy(in.memory.data(), own->data.data(), bytes);
    if (::write(call[1], &mark, 1) != 1 || ::read(answer[0], &mark, 1) != 1) std::abort();
    benchmark::DoNotOptimize(out.memory.data());
    state.PauseTiming();
    own.reset();
    state.ResumeTiming();
  }
  for (const int fd : {call[0], call[1], answer[0], answer[1]}) ::close(fd);
  ::waitpid(pid, nullptr, 0);
  state.SetBytesProcessed(state.iterations() * 2 * state.range(0));
}

// Two copies in one process.
void TwoCopies(benchmark::State& state) {
  const wire::Value input = floats(static_cast<std::size_t>(state.range(0)));
  wire::Value there = input, back = input;
  for (auto _ : state) {
    std::memcpy(there.data.data(), input.data.data(), input.data.size());
    benchmark::ClobberMemory();
    std::memcpy(back.data.data(), there.data.data(), input.data.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 2 * state.range(0));
}

void sizes(benchmark::internal::Benchmark* of) {
  for (const std::int64_t kib : {1, 64, 256, 320, 1024, 10240, 65536}) of->Arg(kib << 10);
  of->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK(CallThroughPipes)->Apply(sizes);
BENCHMARK(CallThroughArenas)->Apply(sizes);
BENCHMARK(BareMemfd)->Apply(sizes);
BENCHMARK(TwoCopies)->Apply(sizes);

}  // namespace
}  // namespace bentohost::runner
