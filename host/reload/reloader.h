// Reloader: reloads asked for by anyone, done one after the other on a thread of its own.
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
  // Beyond, those that have a `done` are refused.
  static constexpr std::size_t kMaxWaiting = 64;
  // [any] `done` is called on the reloader's thread, and must not wait; or, after stop() and where
  // too many wait, here and with UNAVAILABLE. Without `done`, what waits already is not queued
  // again.
  void request(std::string service, bool force, Done done = nullptr);
  // The one at work does not wait for its plugin any more, the others are refused.
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
