#include "reload/reloader.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "base/process/host_thread.h"

namespace bentohost::reload {
namespace {

constexpr auto kLookEvery = std::chrono::seconds(10);
constexpr const char* kStopping = "the server is shutting down";

}  // namespace

void Reloader::start() {
  thread_ = start_host_thread("reloader", [this] { run(); });
}

void Reloader::request(std::string service, bool force, Done done) {
  Job job{std::move(service), force, std::move(done)};
  bool is_stopping = false;
  {
    const MutexLock lock(mutex_);
    const bool waits = std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& other) {
      return other.service == job.service && other.force == job.force;
    });
    if (job.done == nullptr && waits) return;
    is_stopping = stopping_;
    if (!is_stopping && (job.done == nullptr || jobs_.size() < kMaxWaiting)) {
      jobs_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  if (is_stopping) return refuse(job, kStopping, "stopping");
  refuse(job, "too many reloads wait for their turn", "busy");
}

void Reloader::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const auto look_at = std::chrono::steady_clock::now() + kLookEvery;
    while (!stopping_ && jobs_.empty() &&
           changed_.wait_until(mutex_, look_at) == std::cv_status::no_timeout) {
    }
    if (stopping_) break;
    if (jobs_.empty()) {
      lock.unlock();
      services_.look_after_draining();
      lock.lock();
      continue;
    }
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const ReloadResult outcome = services_.reload(job.service, job.force);
    if (job.done) job.done(outcome);
    lock.lock();
  }
}

void Reloader::stop() {
  std::deque<Job> left;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    left.swap(jobs_);
    changed_.notify_all();
  }
  services_.cancel_reloads();
  for (const Job& job : left) refuse(job, kStopping, "stopping");
  if (thread_.joinable()) thread_.join();
}

void Reloader::refuse(const Job& job, const char* why, const char* result) {
  if (!job.done) return;
  const SteadyClock clock;
  job.done({Status(BENTO_UNAVAILABLE, why), result, 0, Progress(clock)});
}

}  // namespace bentohost::reload
