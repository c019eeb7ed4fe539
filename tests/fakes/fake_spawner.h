// A spawner without processes: each worker is a set of pipes. The test holds the other ends and
// plays the worker by hand, without threads and waiting.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/refusing_memory.h"
#include "runner/output_sink.h"
#include "runner/spawner.h"
#include "runner/worker_arenas.h"
#include "wire/frame.h"

namespace bentohost::fakes {

class FakeSpawner final : public runner::Spawner {
 public:
  using Frame = wire::FrameReader::Frame;

  // The worker's ends of its pipes. One thread at a time.
  struct Puppet {
    UniqueFd in, out, err;
    UniqueFd ended;  // with_pidfd: a write tells the host that the process has ended
    pid_t pid = -1;  // with_process
    std::optional<runner::WorkerArenas> arenas;  // with_arenas
    wire::FrameReader reader;
    std::string unsent;

    // The next frame from the host, if it has arrived whole. Valid until the next call.
    std::optional<Frame> receive() {
      for (;;) {
        auto frame = reader.next();
        if (frame.ok() && (*frame).has_value()) return *frame;
        const std::span<char> room = reader.writable();
        const ssize_t n = ::read(in.get(), room.data(), room.size());
        if (n <= 0) return std::nullopt;
        reader.commit(static_cast<std::size_t>(n));
      }
    }
    // The same, without frames that cancel a call: one that has none is answered all the same.
    std::optional<Frame> receive_work() {
      for (;;) {
        auto frame = receive();
        if (!frame || frame->header.type != wire::FrameType::kCancel) return frame;
      }
    }
    // Whether the host has closed this worker's stdin, which tells the worker to end.
    bool told_to_end() const {
      pollfd fd{in.get(), POLLIN, 0};
      return ::poll(&fd, 1, 0) == 1 && fd.revents == POLLHUP;
    }

    void send(std::string_view bytes) {
      unsent += bytes;
      push();
    }
    void send(const AlignedBuffer& bytes) { send({bytes.data(), bytes.size()}); }
    // Writes the bytes that the pipe has not taken yet.
    void push() {
      const ssize_t n = ::write(out.get(), unsent.data(), unsent.size());
      if (n > 0) unsent.erase(0, static_cast<std::size_t>(n));
    }
    void say_ready() { send(empty_frame(wire::FrameType::kReady)); }
    void fail(std::uint64_t id, const Status& status) {
      AlignedBuffer bytes;
      wire::FrameWriter frame(bytes, wire::FrameType::kError, id, 0);
      frame.error(status);
      (void)frame.finish();
      send(bytes);
    }
    // Answers a call with its own first input, or with another value. Like a real worker, it asks
    // for another frame if it cannot reach the input.
    void echo(const Frame& call, std::uint64_t id) {
      wire::DecodedValues values;
      if (arenas) arenas->begin_call();
      (void)wire::decode_call(call.body, values, arenas ? &*arenas : nullptr);
      if (arenas && arenas->is_missing()) return send(empty_frame(wire::FrameType::kNoArena, id));
      answer(id, call.header.method, values.values[0]);
    }
    void answer(std::uint64_t id, std::uint32_t method, const bento_value& value) {
      AlignedBuffer bytes;
      wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, method);
      frame.value_count(1);
      runner::OutputMemory::Block block;
      if (arenas && value.kind == BENTO_TENSOR) block = arenas->take(value.tensor.data.len);
      if (block.arena != 0) {
        std::memcpy(block.data, value.tensor.data.ptr, value.tensor.data.len);
        frame.value_in(block.arena, value);
      } else {
        frame.value(value);
      }
      (void)frame.finish();
      send(bytes);
    }
    // As a process ends: closes its pipes first, then signals its pidfd.
    void die() {
      arenas.reset();
      in.reset();
      out.reset();
      err.reset();
      if (ended) (void)::eventfd_write(ended.get(), 1);
    }

    static AlignedBuffer empty_frame(wire::FrameType type, std::uint64_t id = 0) {
      AlignedBuffer bytes;
      (void)wire::FrameWriter(bytes, type, id, 0).finish();
      return bytes;
    }
  };

  void spawn(const std::string&, std::uint32_t, bool, Done done) override {
    if (!is_slow) return done(spawn());
    slow_ones_.push_back(std::move(done));
  }
  void let_slow_ones_start() {
    for (const Done& done : std::exchange(slow_ones_, {})) done(spawn());
  }

  bool is_slow = false;  // processes start only when the test says so
  bool refuse = false;
  bool with_pidfd = false;
  bool with_arenas = false;      // workers share memory with the host
  std::optional<int> exit_code;  // behind the pipes is a process that ended with this code
  bool with_process = false;     // behind the pipes is a process that does nothing, without a pidfd
  bool is_unwatchable = false;   // its stdout is a file, which no event loop accepts
  std::function<void(Puppet&)> on_spawn;         // on the thread that spawns
  std::vector<std::unique_ptr<Puppet>> puppets;  // in the order of their start

 private:
  Result<runner::Child> spawn() {
    if (refuse) return Status(BENTO_INTERNAL, "told not to spawn");
    auto puppet = std::make_unique<Puppet>();
    runner::Child child;
    if (!connect(puppet->in, child.to) || !connect(child.from, puppet->out) ||
        !connect(child.err, puppet->err)) {
      return Status(BENTO_INTERNAL, "no pipes");
    }
    if (with_arenas) {
      auto sockets = make_socket_pair();
      if (!sockets.ok()) return sockets.status();
      child.arenas = std::move(sockets->ours);
      puppet->arenas.emplace(std::move(sockets->theirs), WorkerMemory::calls);
    }
    if (with_pidfd) {
      puppet->ended.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      child.pidfd.reset(::fcntl(puppet->ended.get(), F_DUPFD_CLOEXEC, 0));
    }
    if (exit_code) child.pid = ended_process(*exit_code);
    if (with_process) puppet->pid = child.pid = idle_process();
    if (is_unwatchable) child.from.reset(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    puppets.push_back(std::move(puppet));
    if (on_spawn) on_spawn(*puppets.back());
    return child;
  }
  std::vector<Done> slow_ones_;
  static bool connect(UniqueFd& reading, UniqueFd& writing) {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return false;
    reading.reset(ends[0]);
    writing.reset(ends[1]);
    return true;
  }
  // The pool reaps this process, and the next one.
  static int idle_process() {
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close_range(3, ~0U, 0);  // the ends of the pipes belong to the test
    while (::getppid() == parent) ::pause();
    ::_exit(0);
  }
  static int ended_process(int code) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(code);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    return pid;
  }
};

}  // namespace bentohost::fakes
