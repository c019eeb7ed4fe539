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
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/child_end.h"
#include "base/loop/event_loop.h"
#include "observe/metrics.h"
#include "runner/client.h"
#include "runner/pool.h"
#include "runner/spawner.h"
#include "wire/frame.h"

namespace bentohost::runner {
namespace {

bool write_all(int fd, const AlignedBuffer& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + sent, bytes.size() - sent);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

// The worker: answers each call with its first input, until its stdin ends.
[[noreturn]] void echo(int in, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  wire::FrameReader reader;
  wire::DecodedValues values;
  AlignedBuffer bytes = [] {
    AlignedBuffer ready;
    (void)wire::FrameWriter(ready, wire::FrameType::kReady, 0, 0).finish();
    return ready;
  }();
  while (write_all(out, bytes)) {
    bytes.clear();
    while (bytes.empty()) {
      auto frame = reader.next();
      if (!frame.ok()) ::_exit(1);
      if (!(*frame).has_value()) {
        const std::span<char> room = reader.writable();
        const ssize_t n = ::read(in, room.data(), room.size());
        if (n <= 0) ::_exit(0);
        reader.commit(static_cast<std::size_t>(n));
        continue;
      }
      if ((**frame).header.type != wire::FrameType::kCall) continue;
      if (!wire::decode_call((**frame).body, values).ok()) ::_exit(1);
      wire::FrameWriter result(bytes, wire::FrameType::kResult, (**frame).header.id, 0);
      result.value_count(1);
      result.value(values.values[0]);
      (void)result.finish();
    }
  }
  ::_exit(0);
}

class ForkSpawner final : public Spawner {
 public:
  void spawn(const std::string&, std::uint32_t, bool, Done done) override {
    Child child;
    UniqueFd in, out, err;
    connect(in, child.to);
    connect(child.from, out);
    connect(child.err, err);
    child.pid = ::fork();
    if (child.pid == 0) {
      child.to.reset();
      echo(in.get(), out.get());
    }
    child.pidfd = open_pidfd(child.pid);
    for (const int fd : {child.to.get(), child.from.get(), child.err.get()})
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
    done(std::move(child));
  }

 private:
  static void connect(UniqueFd& reading, UniqueFd& writing) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
};

plugin::RunnerSpec echo_spec() {
  plugin::RunnerSpec spec;
  spec.name = "echo";
  plugin::MethodSpec method;
  method.name = "run";
  method.batchable = true;
  method.max_batch = 64;
  method.in.kind = method.out.kind = BENTO_TENSOR;
  method.in.dtype = BENTO_F32;
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

class Host {
 public:
  Host() {
    PoolOptions options;
    options.service = "bench";
    options.hello = "{}";
    pool_ = std::make_shared<Pool>(
        echo_spec(), options, Pool::Deps{loop_, spawner_, clock_, metrics_});
    pool_->start();
    while (!pool_->readiness().ok()) loop_.step(std::chrono::seconds(1));
  }
  ~Host() {
    std::atomic<bool> is_over = false;
    std::thread stopper([&] {
      pool_->stop(std::chrono::steady_clock::now() + std::chrono::seconds(5));
      is_over = true;
    });
    while (!is_over) loop_.step(std::chrono::milliseconds(1));
    stopper.join();
  }

  Pool& pool() { return *pool_; }
  Target target() { return {pool_.get(), 0}; }
  // Runs `f` in a turn of the loop.
  template <typename F>
  void on_loop(F f) {
    loop_.post(std::move(f));
    loop_.step(Duration::zero());
  }
  void step() { loop_.step(std::chrono::seconds(1)); }

 private:
  SteadyClock clock_;
  EventLoop loop_{clock_};
  ForkSpawner spawner_;
  observe::Metrics metrics_{"bench"};
  std::shared_ptr<Pool> pool_;
};

// range(0) tickets in one batch, each with range(1) bytes in and out. Items are calls.
void TicketsOfOneBatch(benchmark::State& state) {
  Host host;
  const wire::Value input = floats(static_cast<std::size_t>(state.range(1)));
  const bento_value view = input.view();
  const bento_value* const inputs[] = {&view};
  std::vector<std::unique_ptr<bento_ticket>> tickets(static_cast<std::size_t>(state.range(0)));
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

}  // namespace
}  // namespace bentohost::runner
