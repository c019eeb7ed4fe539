#include "runner/event_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace bentohost::runner {

EventLoop::EventLoop(const Clock& clock)
    : clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
}

EventLoop::~EventLoop() { stop(); }

void EventLoop::start() {
  thread_ = std::thread([this] {
    while (!stopping_.load()) step(Duration::max());
    run_posted();
  });
}

void EventLoop::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void EventLoop::step(Duration longest) {
  std::array<epoll_event, 64> events;
  const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms(longest));
  for (int i = 0; i < n; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == wake_.get()) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(fd, &count, sizeof count);
      continue;
    }
    // A callback of this round may have unwatched it.
    const auto it = watches_.find(fd);
    if (it == watches_.end()) continue;
    const std::shared_ptr<Watch> watch = it->second;
    watch->on_event(events[static_cast<std::size_t>(i)].events);
  }
  run_posted();
  tick();
}

int EventLoop::timeout_ms(Duration longest) {
  if (!ticking_.load() && longest == Duration::max()) return -1;
  const Duration wait = ticking_.load() ? std::min(kTick, longest) : longest;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

bool EventLoop::tick() {
  const TimePoint now = clock_.now();
  const auto any_need = [&] {
    bool need = false;
    for (const Ticker& ticker : tickers_) need = ticker(now) || need;
    return need;
  };
  if (any_need()) last_need_ = now;
  if (now - last_need_ < kLinger) {
    ticking_ = true;
    return true;
  }
  // Say first that nobody ticks, then look once more: a need that came in between either is seen
  // here or sees the flag and wakes the loop.
  if (!ticking_.exchange(false)) return false;
  if (any_need()) {
    last_need_ = now;
    ticking_ = true;
  }
  return ticking_;
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> posted;
  {
    std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  for (auto& f : posted) f();
}

void EventLoop::post(std::function<void()> f) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(f));
  }
  wake();
}

void EventLoop::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_event) {
  watches_[fd] = std::make_shared<Watch>(Watch{std::move(on_event)});
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void EventLoop::set_events(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  watches_.erase(fd);
}

void EventLoop::add_ticker(Ticker ticker) { tickers_.push_back(std::move(ticker)); }

void EventLoop::ensure_ticking() {
  if (!ticking_.load()) wake();
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t sent = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace bentohost::runner
