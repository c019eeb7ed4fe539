// Reloader: takes reload requests from any thread and runs them one by one on its own thread.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "reload/service_table.h"

namespace bentohost::reload {

class Reloader {
 public:
  using Done = std::function<void(const ReloadResult&)>;

  explicit Reloader(ServiceTable& services) : services_(services) {}
  ~Reloader() { stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  void start();
  // Beyond this many, requests that have a `done` are refused.
  static constexpr std::size_t kMaxWaiting = 64;
  // [any] `done` is called on the reloader's thread, and must not wait; after stop(), or when too
  // many requests wait, it is called on this thread with UNAVAILABLE. A request without `done` is
  // dropped if the same one waits already.
  void request(std::string service, bool force, Done done = nullptr);
  // The running reload stops waiting for its plugin; the waiting requests are refused.
  void stop();

 private:
  struct Job {
    std::string service;
    bool force;
    Done done;
  };
  void run();
  static void refuse(const Job& job, const char* why, const char* result);

  ServiceTable& services_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ BENTO_GUARDED_BY(mutex_);
  bool stopping_ BENTO_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bentohost::reload
