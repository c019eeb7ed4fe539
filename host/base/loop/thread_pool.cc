#include "base/loop/thread_pool.h"

#include <algorithm>
#include <ctime>
#include <deque>
#include <system_error>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/process/host_thread.h"
#include "base/process/signal_stack.h"

namespace bentohost {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);
// The main thread's usual size: user code expects it. Only pages that are touched cost memory.
constexpr std::size_t kStackSize = 8u << 20;

// Returns 0 or an errno.
int start_thread(void* (*function)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t id;
  const int error = pthread_create(&id, &attributes, function, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

// Waits for a thread that is about to end. False: `deadline` came first; the thread is detached.
bool join_by(pthread_t id, TimePoint deadline) {
  const TimePoint now = SteadyClock().now();
  const Duration left =
      deadline > now ? std::min<Duration>(deadline - now, std::chrono::hours(1)) : Duration::zero();
  const auto when = std::chrono::system_clock::now().time_since_epoch() + left;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(when);
  const timespec until{static_cast<time_t>(whole.count()),
                       static_cast<long>(std::chrono::nanoseconds(when - whole).count())};
  if (pthread_timedjoin_np(id, nullptr, &until) == 0) return true;
  pthread_detach(id);
  return false;
}

class FunctionJob final : public ThreadPool::Job {
 public:
  explicit FunctionJob(std::function<void()> f) : f_(std::move(f)) {}
  void run() override { f_(); }
  void drop() override { f_(); }

 private:
  const std::function<void()> f_;
};

using JobPtr = std::unique_ptr<ThreadPool::Job>;

}  // namespace

// Shared with each thread, so that it outlives the pool for threads that are left behind.
struct ThreadPool::State : std::enable_shared_from_this<State> {
  explicit State(const Options& its_options)
      : options(its_options), free_permits(static_cast<std::ptrdiff_t>(its_options.permits)) {}

  struct Waiting {
    JobPtr job;
    TimePoint since;
  };

  void work();
  bool await_job() BENTO_REQUIRES(mutex);
  JobPtr take_first() BENTO_REQUIRES(mutex);
  int call_for_a_thread() BENTO_REQUIRES(mutex);
  int add_thread() BENTO_REQUIRES(mutex);
  bool has_room_for(const Job& job) const BENTO_REQUIRES(mutex);
  bool may_look_through() BENTO_REQUIRES(mutex);
  std::vector<JobPtr> take_unwanted() BENTO_REQUIRES(mutex);
  void drop_all() BENTO_REQUIRES(mutex);

  const Options options;
  Mutex mutex;
  CondVar changed;
  CondVar thread_ended;
  std::deque<Waiting> jobs BENTO_GUARDED_BY(mutex);
  std::size_t waiting_bytes BENTO_GUARDED_BY(mutex) = 0;
  TimePoint looked_through BENTO_GUARDED_BY(mutex){};
  std::ptrdiff_t free_permits BENTO_GUARDED_BY(mutex);  // below zero: more jobs run than should
  std::size_t threads BENTO_GUARDED_BY(mutex) = 0;
  std::size_t idle BENTO_GUARDED_BY(mutex) = 0;
  std::size_t starting BENTO_GUARDED_BY(mutex) = 0;  // started, but have not looked for a job yet
  bool stopping BENTO_GUARDED_BY(mutex) = false;
  bool abandoned BENTO_GUARDED_BY(mutex) = false;        // stop() is over: nobody will join
  std::vector<pthread_t> ended BENTO_GUARDED_BY(mutex);  // to be joined
};

namespace {

// The pool whose job this thread runs, or null.
thread_local void* running_in = nullptr;

}  // namespace

// False: the thread must end.
bool ThreadPool::State::await_job() {
  const SteadyClock clock;
  while (true) {
    if (jobs.empty()) {
      if (stopping) return false;
      const bool timed_out = changed.wait_for(mutex, kIdleTime) == std::cv_status::timeout;
      if (timed_out && jobs.empty() && threads > options.kept_threads) return false;
    } else {
      const TimePoint impatient_at = jobs.front().since + kPatience;
      if (free_permits > 0 || stopping || clock.now() >= impatient_at) return true;
      changed.wait_until(mutex, impatient_at);
    }
  }
}

JobPtr ThreadPool::State::take_first() {
  JobPtr job = std::move(jobs.front().job);
  jobs.pop_front();
  waiting_bytes -= job->bytes();
  return job;
}

void ThreadPool::State::work() {
  const HostThread mark;
  MutexLock lock(mutex);
  running_in = this;
  --starting;
  while (true) {
    ++idle;
    const bool has_job = await_job();
    --idle;
    if (!has_job) break;
    {
      const JobPtr job = take_first();
      --free_permits;
      // Another thread has to serve the jobs that still wait.
      if (!jobs.empty()) (void)call_for_a_thread();
      lock.unlock();
      if (job->is_wanted()) {
        job->run();
      } else {
        job->drop();
      }
    }  // the job is destroyed without the lock
    lock.lock();
    ++free_permits;
  }
  --threads;
  // Each ending thread joins those that ended before: destructors of thread-local variables may
  // take long, and callers of run() must not wait for them.
  const std::vector<pthread_t> others = std::exchange(ended, {});
  if (abandoned) {
    pthread_detach(pthread_self());
  } else {
    ended.push_back(pthread_self());
  }
  thread_ended.notify_all();
  lock.unlock();
  for (const pthread_t id : others) pthread_join(id, nullptr);
}

// Call when a job waits. Returns 0, or an errno if one more thread is needed and the system cannot
// start it.
int ThreadPool::State::call_for_a_thread() {
  if (idle > 0) {
    changed.notify_one();
    return 0;
  }
  return threads < options.max_threads ? add_thread() : 0;
}

int ThreadPool::State::add_thread() {
  auto shared = std::make_unique<std::shared_ptr<State>>(shared_from_this());
  const int error = start_thread(&thread_main, shared.get());
  if (error == 0) {
    shared.release();
    ++threads;
    ++starting;
  }
  return error;
}

// Jobs that an idle, starting or future thread will take do not count as waiting.
bool ThreadPool::State::has_room_for(const Job& job) const {
  const std::size_t free_threads = idle + starting + options.max_threads - threads;
  if (jobs.size() < free_threads) return true;
  return jobs.size() - free_threads < options.max_waiting &&
         waiting_bytes <= options.max_waiting_bytes &&
         job.bytes() <= options.max_waiting_bytes - waiting_bytes;
}

// Limits how often the queue is searched: in an overload, each refusal would search all of it.
bool ThreadPool::State::may_look_through() {
  const TimePoint now = SteadyClock().now();
  if (now - looked_through < kPatience) return false;
  looked_through = now;
  return true;
}

std::vector<JobPtr> ThreadPool::State::take_unwanted() {
  std::vector<JobPtr> unwanted;
  std::deque<Waiting> kept;
  for (Waiting& waiting : jobs) {
    if (waiting.job->is_wanted()) {
      kept.push_back(std::move(waiting));
    } else {
      waiting_bytes -= waiting.job->bytes();
      unwanted.push_back(std::move(waiting.job));
    }
  }
  jobs.swap(kept);
  return unwanted;
}

void ThreadPool::State::drop_all() {
  while (!jobs.empty()) {
    JobPtr job = take_first();
    const MutexUnlock unlocked(mutex);
    job->drop();
    job.reset();
  }
}

ThreadPool::ThreadPool(const Options& options) : state_(std::make_shared<State>(options)) {
  const MutexLock lock(state_->mutex);
  for (std::size_t i = 0; i < options.kept_threads; ++i) (void)state_->add_thread();
}

ThreadPool::~ThreadPool() { stop(TimePoint::min()); }

void* ThreadPool::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<State>> state(
      static_cast<std::shared_ptr<State>*>(argument));
  const SignalStack for_crashes;
  ::pthread_setname_np(::pthread_self(), "thread-pool");
  (*state)->work();
  return nullptr;
}

Status ThreadPool::run(std::unique_ptr<Job> job) { return take(std::move(job), false); }

void ThreadPool::run(std::function<void()> f) {
  (void)take(std::make_unique<FunctionJob>(std::move(f)), true);
}

Status ThreadPool::take(std::unique_ptr<Job> job, bool has_to_run) {
  std::vector<JobPtr> unwanted;
  Status status;
  {
    const MutexLock lock(state_->mutex);
    const auto is_refused = [&]() BENTO_REQUIRES(state_->mutex) {
      return !has_to_run && !state_->has_room_for(*job);
    };
    if (is_refused() && state_->may_look_through()) unwanted = state_->take_unwanted();
    if (is_refused()) {
      status =
          Status(BENTO_RESOURCE_EXHAUSTED,
                 "too many requests wait for a thread: " + std::to_string(state_->jobs.size()) +
                     ", with " + std::to_string(state_->waiting_bytes) + " bytes");
    } else {
      state_->waiting_bytes += job->bytes();
      state_->jobs.push_back({std::move(job), SteadyClock().now()});
      if (const int error = state_->call_for_a_thread(); error != 0 && !has_to_run) {
        job = std::move(state_->jobs.back().job);
        state_->jobs.pop_back();
        state_->waiting_bytes -= job->bytes();
        status = Status(BENTO_UNAVAILABLE,
                        "no thread can be started: " + std::generic_category().message(error));
      }
    }
  }
  for (const JobPtr& each : unwanted) each->drop();
  return status;
}

ThreadPool::Load ThreadPool::load() const {
  const MutexLock lock(state_->mutex);
  return {state_->threads, state_->jobs.size(), state_->waiting_bytes};
}

std::size_t ThreadPool::stop(TimePoint deadline) {
  MutexLock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  state_->drop_all();
  while (state_->threads != 0 &&
         state_->thread_ended.wait_until(state_->mutex, deadline) == std::cv_status::no_timeout) {
  }
  state_->abandoned = true;
  const std::vector<pthread_t> ended = std::exchange(state_->ended, {});
  std::size_t left = state_->threads;
  lock.unlock();
  for (const pthread_t id : ended) left += join_by(id, deadline) ? 0 : 1;
  return left;
}

ThreadPool::Blocking::Blocking() {
  auto* state = static_cast<State*>(running_in);
  if (state == nullptr) return;
  const MutexLock lock(state->mutex);
  ++state->free_permits;
  // If the system cannot start a thread, the job waits for an existing one.
  if (!state->jobs.empty()) (void)state->call_for_a_thread();
}

ThreadPool::Blocking::~Blocking() {
  auto* state = static_cast<State*>(running_in);
  if (state == nullptr) return;
  // Takes a permit without waiting for one: the job has waited already, and its rest is short.
  const MutexLock lock(state->mutex);
  --state->free_permits;
}

}  // namespace bentohost
