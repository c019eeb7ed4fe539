// FinishedCalls: with --debug, the last asynchronous calls that have finished, so that a plugin
// which finishes one twice is found out instead of writing to freed memory. Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "base/mutex.h"

namespace bentohost::service {

class AsyncCall;

class FinishedCalls {
 public:
  static constexpr std::size_t kKept = 1024;

  void keep(std::shared_ptr<AsyncCall> call) {
    const MutexLock lock(mutex_);
    calls_.push_back(std::move(call));
    if (calls_.size() > kKept) calls_.pop_front();
  }

 private:
  Mutex mutex_;
  std::deque<std::shared_ptr<AsyncCall>> calls_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::service
