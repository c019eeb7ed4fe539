#include "runner/worker_pipes.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <span>

namespace bentohost::runner {
namespace {

// At most this many reads drain a pipe per event, so that a worker that floods it cannot block the
// loop.
constexpr int kReadsPerEvent = 16;

void read_stderr(Worker& worker, EventLoop& loop, const Clock& clock) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(worker.err.get(), buffer.data(), buffer.size());
  if (n > 0) {
    worker.stderr_relay.feed({buffer.data(), static_cast<std::size_t>(n)}, clock.now());
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    loop.unwatch(worker.err.get());
  }
}

}  // namespace

Status watch_pipes(const WorkerPtr& worker, EventLoop& loop, const Clock& clock,
                   WorkerEvents& events) {
  if (worker->pidfd) {
    Status status = loop.watch(
        worker->pidfd.get(), EPOLLIN,
        [worker, &loop, &events](std::uint32_t) { read_frames(worker, true, loop, events); });
    if (!status.ok()) worker->pidfd.reset();  // a tick notices the end instead
  }
  Status status = loop.watch(worker->from.get(), EPOLLIN, [worker, &loop, &events](std::uint32_t) {
    read_frames(worker, false, loop, events);
  });
  if (!status.ok()) return status;
  status = loop.watch(worker->err.get(), EPOLLIN, [worker, &loop, &clock](std::uint32_t) {
    read_stderr(*worker, loop, clock);
  });
  if (!status.ok()) return status;
  if (const int channel = worker->arenas->channel(); channel >= 0) {
    status = loop.watch(channel, EPOLLIN,
                        [worker, &events](std::uint32_t) { events.on_arena_message(worker); });
    if (!status.ok()) return status;
  }
  return worker->to.watch([worker, &events] {
    worker->to.close();
    events.on_closed_pipe(worker);
  });
}

void unwatch_pipes(Worker& worker, EventLoop& loop) {
  for (const int fd :
       {worker.from.get(), worker.err.get(), worker.pidfd.get(), worker.arenas->channel()}) {
    if (fd >= 0) loop.unwatch(fd);
  }
  worker.to.close();
}

void read_frames(const WorkerPtr& worker, bool ended, EventLoop& loop, WorkerEvents& events) {
  if (worker->broke_protocol) return events.on_ended(worker);  // its frames are no longer read
  for (int i = 0; i < kReadsPerEvent; ++i) {
    std::span<char> room;
    try {
      room = worker->reader.writable();
    } catch (const std::bad_alloc&) {
      return ended ? events.on_ended(worker) : events.on_no_memory(worker);
    }
    const ssize_t n = ::read(worker->from.get(), room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && !ended) return;
    if (n <= 0 && ended) return events.on_ended(worker);
    if (n <= 0) {
      loop.unwatch(worker->from.get());
      return events.on_closed_pipe(worker);
    }
    worker->reader.commit(static_cast<std::size_t>(n));
    for (;;) {
      auto frame = worker->reader.next();
      if (!frame.ok()) return events.on_protocol_error(worker, frame.status().message());
      if (!(*frame).has_value()) break;
      events.on_frame(worker, **frame);
      if (worker->dead || worker->broke_protocol) return;
    }
    if (static_cast<std::size_t>(n) < room.size() && !ended) return worker->reader.recycle();
  }
}

void read_last_lines(Worker& worker, TimePoint now) {
  std::array<char, 16384> buffer;
  for (int i = 0; i < kReadsPerEvent; ++i) {
    const ssize_t n = ::read(worker.err.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    worker.stderr_relay.feed({buffer.data(), static_cast<std::size_t>(n)}, now);
  }
  worker.stderr_relay.finish(now);
}

}  // namespace bentohost::runner
