#include "http/thread_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace bentohost::http {
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
struct ThreadPool::State {
  explicit State(std::size_t max) : max_threads(max) {}

  void work();
  void join_ended(std::unique_lock<std::mutex>& lock);

  const std::size_t max_threads;
  std::mutex mutex;
  std::condition_variable job_added;
  std::condition_variable thread_ended;
  std::deque<Job> jobs;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stopping = false;
  bool abandoned = false;        // stop() has returned: nobody will join
  std::vector<pthread_t> ended;  // to be joined
};

void ThreadPool::State::work() {
  std::unique_lock lock(mutex);
  while (true) {
    ++idle;
    job_added.wait_for(lock, kIdleTime, [this] { return !jobs.empty() || stopping; });
    --idle;
    if (jobs.empty()) break;
    {
      Job job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
    }  // what the job holds is released without the lock
    lock.lock();
  }
  --threads;
  if (abandoned) {
    pthread_detach(pthread_self());
  } else {
    ended.push_back(pthread_self());
  }
  thread_ended.notify_all();
}

void ThreadPool::State::join_ended(std::unique_lock<std::mutex>& lock) {
  std::vector<pthread_t> ids = std::exchange(ended, {});
  lock.unlock();
  for (const pthread_t id : ids) pthread_join(id, nullptr);
  lock.lock();
}

ThreadPool::ThreadPool(std::size_t max_threads) : state_(std::make_shared<State>(max_threads)) {}

ThreadPool::~ThreadPool() { stop(TimePoint::min()); }

void* ThreadPool::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<State>> state(
      static_cast<std::shared_ptr<State>*>(argument));
  (*state)->work();
  return nullptr;
}

void ThreadPool::run(Job job) {
  std::unique_lock lock(state_->mutex);
  state_->join_ended(lock);
  state_->jobs.push_back(std::move(job));
  // An idle thread may have been promised to an earlier job that it has not taken yet.
  if (state_->jobs.size() > state_->idle && state_->threads < state_->max_threads) {
    auto shared = std::make_unique<std::shared_ptr<State>>(state_);
    // When the system has no thread to give, the job waits for one of ours, or for the next run().
    if (start_thread(&thread_main, shared.get())) {
      shared.release();
      ++state_->threads;
    }
  }
  lock.unlock();
  state_->job_added.notify_one();
}

std::size_t ThreadPool::stop(TimePoint deadline) {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->job_added.notify_all();
  while (!state_->jobs.empty()) {
    Job job = std::move(state_->jobs.front());
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

}  // namespace bentohost::http
