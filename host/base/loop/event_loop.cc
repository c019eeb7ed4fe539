#include "base/loop/event_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <system_error>
#include <utility>

#include "base/process/host_thread.h"

namespace bentohost {
namespace {

thread_local EventLoop* current_loop = nullptr;

}  // namespace

class EventLoop::FunctionWatcher final : public Watcher {
 public:
  explicit FunctionWatcher(std::function<void(std::uint32_t)> f) : f_(std::move(f)) {}
  void on_events(std::uint32_t epoll_events) override { f_(epoll_events); }

 private:
  std::function<void(std::uint32_t)> f_;
};

EventLoop::EventLoop(const Clock& clock, Duration between_ticks)
    : clock_(clock),
      between_ticks_(between_ticks),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(clock.now()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the loop's own
  if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make an event loop");
  }
}

EventLoop::~EventLoop() { stop(); }

void EventLoop::start() {
  thread_ = start_host_thread("event-loop", [this] {
    current_loop = this;
    while (!stopping_.load()) step(Duration::max());
    run_posted();
    run_turn_ends();
    current_loop = nullptr;
  });
}

void EventLoop::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
  std::vector<std::function<void()>> never_run;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    never_run.swap(posted_);
    has_posted_ = false;
  }
}

EventLoop* EventLoop::current() { return current_loop; }

void EventLoop::step(Duration longest) {
  // Tests step a loop on a thread of their own.
  EventLoop* const outer = std::exchange(current_loop, this);
  const int n = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                             timeout_ms(longest));
  now_ = clock_.now();
  handle({events_.data(), static_cast<std::size_t>(std::max(n, 0))});
  run_posted();
  tick();
  timers_.run(now_);
  run_turn_ends();
  unwatched_.clear();
  current_loop = outer;
}

// A far deadline is not worth a look at the clock: the loop wakes a little before it instead, and
// then waits for the rest.
Duration EventLoop::time_until(TimePoint deadline) const {
  constexpr Duration kFar = std::chrono::seconds(1);
  const Duration left = deadline - now_;
  if (left > 2 * kFar) return left - kFar;
  return std::max(deadline - clock_.now(), Duration::zero());
}

int EventLoop::timeout_ms(Duration longest) const {
  if (!turn_ends_.empty()) return 0;
  Duration wait = longest;
  if (ticking_.load()) wait = std::min(wait, owes_tick_ ? between_ticks_ : kTick);
  if (const TimePoint next = timers_.next(); next != kNoDeadline) {
    wait = std::min(wait, time_until(next));
  }
  if (wait == Duration::max()) return -1;
  // Rounded up, so that the timer is due when the wait is over.
  constexpr std::int64_t kHour = 3'600'000;
  return static_cast<int>(
      std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count(), kHour));
}

void EventLoop::handle(std::span<epoll_event> events) {
  for (unhandled_ = events; !unhandled_.empty();) {
    const epoll_event event = unhandled_.front();
    unhandled_ = unhandled_.subspan(1);
    if (event.events == 0) continue;  // removed in this turn
    if (event.data.ptr == nullptr) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
    } else {
      static_cast<Watcher*>(event.data.ptr)->on_events(event.events);
    }
  }
}

void EventLoop::forget_events_of(const void* watcher) {
  for (epoll_event& event : unhandled_) {
    if (event.data.ptr == watcher) event.events = 0;
  }
}

void EventLoop::run_posted() {
  // What is posted while this reads false also wakes the loop, for another turn.
  if (!has_posted_.load()) return;
  {
    const MutexLock lock(mutex_);
    running_.swap(posted_);
    has_posted_ = false;
  }
  for (auto& f : running_) f();
  running_.clear();
}

void EventLoop::run_turn_ends() {
  ending_.swap(turn_ends_);
  for (TurnEnd* whom : ending_) whom->on_turn_end();  // requests made meanwhile run next turn
  ending_.clear();
}

void EventLoop::at_turn_end(TurnEnd& whom) {
  if (std::find(turn_ends_.begin(), turn_ends_.end(), &whom) == turn_ends_.end()) {
    turn_ends_.push_back(&whom);
  }
}

bool EventLoop::tick() {
  owes_tick_ = ticking_.load() && now_ - last_tick_ < between_ticks_;
  if (owes_tick_) return true;
  last_tick_ = now_;
  const auto any_need = [&] {
    bool need = false;
    for (const auto& [id, ticker] : tickers_) need = ticker(now_) || need;
    return need;
  };
  if (any_need()) last_need_ = now_;
  if (now_ - last_need_ < kLinger) {
    ticking_ = true;
    return true;
  }
  // Clear the flag first, then check once more: a time limit added in between is either seen here,
  // or its ensure_ticking() sees the flag and wakes the loop.
  if (!ticking_.exchange(false)) return false;
  if (any_need()) {
    last_need_ = now_;
    ticking_ = true;
  }
  return ticking_;
}

void EventLoop::post(std::function<void()> f) {
  bool is_first = false;
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    is_first = posted_.empty();
    posted_.push_back(std::move(f));
    has_posted_ = true;
  }
  // The first poster wakes the loop, and the loop takes all functions.
  if (is_first) wake();
}

bool EventLoop::let_turn(Duration longest) {
  const TimePoint deadline = std::chrono::steady_clock::now() + longest;
  // The second function runs only after the turn of the first has ended.
  for (int turn = 0; turn < 2; ++turn) {
    auto turned = std::make_shared<std::promise<void>>();
    const auto future = turned->get_future();
    post([turned = std::move(turned)] { turned->set_value(); });  // kept nowhere if it never runs
    if (future.wait_until(deadline) != std::future_status::ready) return false;
  }
  return true;
}

void EventLoop::hold_for_a_turn(std::shared_ptr<const void> what) {
  // The second function runs only after the turn of the first has ended.
  post([this, what = std::move(what)] { post([what] {}); });
}

Status EventLoop::add(int fd, std::uint32_t epoll_events, Watcher& watcher) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return Status(BENTO_RESOURCE_EXHAUSTED, "epoll_ctl: " + std::generic_category().message(errno));
}

void EventLoop::remove(int fd, const Watcher& watcher) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  forget_events_of(&watcher);
}

Status EventLoop::watch(int fd, std::uint32_t epoll_events,
                        std::function<void(std::uint32_t)> on_event) {
  auto watcher = std::make_unique<FunctionWatcher>(std::move(on_event));
  if (Status status = add(fd, epoll_events, *watcher); !status.ok()) return status;
  const MutexLock lock(mutex_);
  functions_[fd] = std::move(watcher);
  return {};
}

void EventLoop::set_events(int fd, std::uint32_t epoll_events) {
  const MutexLock lock(mutex_);
  const auto it = functions_.find(fd);
  if (it == functions_.end()) return;
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = it->second.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::unwatch(int fd) {
  const MutexLock lock(mutex_);
  const auto it = functions_.find(fd);
  if (it == functions_.end()) return;
  remove(fd, *it->second);
  unwatched_.push_back(std::move(it->second));  // it may be the one that is running
  functions_.erase(it);
}

EventLoop::TickerId EventLoop::add_ticker(Ticker ticker) {
  tickers_.emplace(next_ticker_, std::move(ticker));
  return next_ticker_++;
}

void EventLoop::remove_ticker(TickerId id) { tickers_.erase(id); }

void EventLoop::ensure_ticking() {
  if (!ticking_.load()) wake();
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t sent = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace bentohost
