// A pool with a real worker process, a fork of the benchmark's program.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/loop/child_end.h"
#include "base/loop/event_loop.h"
#include "base/memory_budget.h"
#include "base/process/shared_memory.h"
#include "observe/metrics.h"
#include "runner/client.h"
#include "runner/pool.h"
#include "runner/spawner.h"
#include "wire/frame.h"

namespace bentohost::runner {

inline bool write_all(int fd, const AlignedBuffer& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + sent, bytes.size() - sent);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

// A worker's life: says that it is ready, and has `answer` append a frame for each call, until its
// pipe ends.
template <typename Answer>
[[noreturn]] void answer_calls(const UniqueFd& in, const UniqueFd& out, Answer&& answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  wire::FrameReader reader;
  AlignedBuffer bytes;
  (void)wire::FrameWriter(bytes, wire::FrameType::kReady, 0, 0).finish();
  while (write_all(out.get(), bytes)) {
    bytes.clear();
    while (bytes.empty()) {
      auto frame = reader.next();
      if (!frame.ok()) ::_exit(1);
      if ((*frame).has_value()) {
        if ((**frame).header.type == wire::FrameType::kCall) answer(**frame, bytes);
        continue;
      }
      const std::span<char> room = reader.writable();
      const ssize_t n = ::read(in.get(), room.data(), room.size());
      if (n <= 0) ::_exit(0);
      reader.commit(static_cast<std::size_t>(n));
    }
  }
  ::_exit(0);
}

// Each worker is a fork of this program, which works with its ends of the pipes and of the socket.
class ForkSpawner final : public Spawner {
 public:
  using Work = void (*)(UniqueFd in, UniqueFd out, UniqueFd channel);
  explicit ForkSpawner(Work work) : work_(work) {}

  void spawn(const std::string&, std::uint32_t, bool, Done done) override {
    Child child;
    UniqueFd in, out, err;
    connect(in, child.to);
    connect(child.from, out);
    connect(child.err, err);
    SocketPair sockets = *make_socket_pair();
    child.arenas = std::move(sockets.ours);
    child.pid = ::fork();
    if (child.pid == 0) {
      child.to.reset();
      child.arenas.reset();
      work_(std::move(in), std::move(out), std::move(sockets.theirs));
      ::_exit(0);
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

  const Work work_;
};

// A pool and its worker, stepped on the benchmark's own thread.
class Host {
 public:
  // `arena_bytes`: 0: no shared memory.
  Host(const plugin::RunnerSpec& spec, ForkSpawner::Work work, std::size_t arena_bytes = 0)
      : spawner_(work) {
    PoolOptions options;
    options.service = "bench";
    options.hello = "{}";
    pool_ = std::make_shared<Pool>(
        spec, options,
        Pool::Deps{
            loop_,
            spawner_,
            clock_,
            metrics_,
            {.budget = arena_bytes == 0 ? nullptr : std::make_shared<MemoryBudget>(arena_bytes)}});
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

}  // namespace bentohost::runner
