#include "base/thread_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "base/host_thread.h"
#include "base/signal_stack.h"

namespace bentohost {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);
// Room for a plugin's frames; touched pages are what costs, not these.
constexpr std::size_t kStackSize = 1u << 20;

bool start_thread(void* (*function)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t id;
  const int error = pthread_create(&id, &attributes, function, argument);
  pthread_attr_destroy(&attributes);
  return error == 0;
}

}  // namespace

// Shared with each thread, so that one that is left behind has it still.
struct ThreadPool::State : std::enable_shared_from_this<State> {
  State(std::size_t max, std::size_t count)
      : max_threads(max), free_seats(static_cast<std::ptrdiff_t>(count)) {}

  struct Waiting {
    Job job;
    TimePoint since;
  };

  void work();
  bool await_job(std::unique_lock<std::mutex>& lock);
  void call_for_a_thread();
  void join_ended(std::unique_lock<std::mutex>& lock);

  const std::size_t max_threads;
  std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable thread_ended;
  std::deque<Waiting> jobs;
  std::ptrdiff_t free_seats;  // below zero: more run than should
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stopping = false;
  bool abandoned = false;        // stop() has returned: nobody will join
  std::vector<pthread_t> ended;  // to be joined
};

namespace {

// The pool whose job this thread runs, or null.
thread_local void* running_in = nullptr;

}  // namespace

// False when the thread is to end.
bool ThreadPool::State::await_job(std::unique_lock<std::mutex>& lock) {
  const SteadyClock clock;
  while (true) {
    if (jobs.empty()) {
      if (stopping) return false;
      const bool timed_out = changed.wait_for(lock, kIdleTime) == std::cv_status::timeout;
      if (timed_out && jobs.empty()) return false;
    } else {
      const TimePoint impatient_at = jobs.front().since + kPatience;
      if (free_seats > 0 || stopping || clock.now() >= impatient_at) return true;
      changed.wait_until(lock, impatient_at);
    }
  }
}

void ThreadPool::State::work() {
  const HostThread mark;
  std::unique_lock lock(mutex);
  running_in = this;
  while (true) {
    ++idle;
    const bool has_job = await_job(lock);
    --idle;
    if (!has_job) break;
    {
      Job job = std::move(jobs.front().job);
      jobs.pop_front();
      --free_seats;
      // Somebody has to watch over the jobs that still wait.
      if (!jobs.empty()) call_for_a_thread();
      lock.unlock();
      job();
    }  // what the job holds is released without the lock
    lock.lock();
    ++free_seats;
  }
  --threads;
  if (abandoned) {
    pthread_detach(pthread_self());
  } else {
    ended.push_back(pthread_self());
  }
  thread_ended.notify_all();
}

// Under the mutex, when a job waits.
void ThreadPool::State::call_for_a_thread() {
  if (idle > 0) {
    changed.notify_one();
  } else if (threads < max_threads) {
    auto shared = std::make_unique<std::shared_ptr<State>>(shared_from_this());
    // When the system has no thread to give, the job waits for one of ours, or for the next run().
    if (start_thread(&thread_main, shared.get())) {
      shared.release();
      ++threads;
    }
  }
}

void ThreadPool::State::join_ended(std::unique_lock<std::mutex>& lock) {
  std::vector<pthread_t> ids = std::exchange(ended, {});
  lock.unlock();
  for (const pthread_t id : ids) pthread_join(id, nullptr);
  lock.lock();
}

ThreadPool::ThreadPool(std::size_t max_threads, std::size_t seats)
    : state_(std::make_shared<State>(max_threads, seats)) {}

ThreadPool::~ThreadPool() { stop(TimePoint::min()); }

void* ThreadPool::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<State>> state(
      static_cast<std::shared_ptr<State>*>(argument));
  const SignalStack for_crashes;
  (*state)->work();
  return nullptr;
}

void ThreadPool::run(Job job) {
  std::unique_lock lock(state_->mutex);
  if (!state_->ended.empty()) state_->join_ended(lock);
  state_->jobs.push_back({std::move(job), SteadyClock().now()});
  state_->call_for_a_thread();
}

std::size_t ThreadPool::stop(TimePoint deadline) {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  while (!state_->jobs.empty()) {
    Job job = std::move(state_->jobs.front().job);
    state_->jobs.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
  state_->thread_ended.wait_until(lock, deadline, [this] { return state_->threads == 0; });
  state_->abandoned = true;
  state_->join_ended(lock);
  return state_->threads;
}

ThreadPool::Blocking::Blocking() {
  auto* state = static_cast<State*>(running_in);
  if (state == nullptr) return;
  std::lock_guard lock(state->mutex);
  ++state->free_seats;
  if (!state->jobs.empty()) state->call_for_a_thread();
}

ThreadPool::Blocking::~Blocking() {
  auto* state = static_cast<State*>(running_in);
  if (state == nullptr) return;
  // Without waiting for one: it has waited already, and what it still has to do is short.
  std::lock_guard lock(state->mutex);
  --state->free_seats;
}

}  // namespace bentohost
