#include "runner/batch_timer.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace bentohost::runner {

void BatchTimer::create() {
  fd_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd_) log_warning("no timer for max_batch_wait_us: it is kept to within 25 ms");
}

void BatchTimer::watch(EventLoop& loop, std::function<void()> on_ring) {
  if (!fd_) return;
  const Status status =
      loop.watch(fd_.get(), EPOLLIN, [fd = fd_.get(), on_ring = std::move(on_ring)](std::uint32_t) {
        std::uint64_t rings = 0;
        (void)!::read(fd, &rings, sizeof rings);
        on_ring();
      });
  is_watched_ = status.ok();
  if (!status.ok()) {
    log_warning("max_batch_wait_us is kept to within 25 ms: " + status.message());
  }
}

void BatchTimer::unwatch(EventLoop& loop) {
  if (std::exchange(is_watched_, false)) loop.unwatch(fd_.get());
}

void BatchTimer::set(Duration wait) {
  if (!fd_) return;
  // A time of 0 would disarm it.
  const auto ns = std::max<std::chrono::nanoseconds>(wait, std::chrono::nanoseconds(1)).count();
  itimerspec time{};
  time.it_value.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  time.it_value.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  (void)::timerfd_settime(fd_.get(), 0, &time, nullptr);
}

}  // namespace bentohost::runner
