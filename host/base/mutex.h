// Mutex, MutexLock, MutexUnlock and CondVar: std::mutex, std::unique_lock (and its opposite) and
// std::condition_variable with the annotations of base/thread_annotations.h. All of it is inline
// and costs what those cost.
//
//   Mutex mutex_;
//   CondVar changed_;
//   std::size_t n_ BENTO_GUARDED_BY(mutex_) = 0;
//
//   const MutexLock lock(mutex_);
//   while (n_ == 0) changed_.wait(mutex_);
//
// CondVar takes no predicate: the analysis looks at a lambda by itself, and does not know that it
// is called with the mutex held. So waits are loops.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/thread_annotations.h"

namespace bentohost {

class BENTO_CAPABILITY("mutex") Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() BENTO_ACQUIRE() { native_.lock(); }
  bool try_lock() BENTO_TRY_ACQUIRE(true) { return native_.try_lock(); }
  void unlock() BENTO_RELEASE() { native_.unlock(); }

 private:
  friend class CondVar;
  std::mutex native_;
};

// Holds a mutex while it lives. It may be unlocked before its end, and locked again.
class BENTO_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) BENTO_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() BENTO_RELEASE() {
    if (is_held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() BENTO_RELEASE() {
    is_held_ = false;
    mutex_.unlock();
  }
  void lock() BENTO_ACQUIRE() {
    mutex_.lock();
    is_held_ = true;
  }

 private:
  Mutex& mutex_;
  bool is_held_ = true;
};

// The opposite, in a function that BENTO_REQUIRES a mutex: lets go of it while it lives.
class BENTO_SCOPED_CAPABILITY MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) BENTO_RELEASE(mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~MutexUnlock() BENTO_RELEASE() { mutex_.lock(); }  // RELEASE: of what it is, an unlocked mutex
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void notify_one() noexcept { native_.notify_one(); }
  void notify_all() noexcept { native_.notify_all(); }

  // The mutex is let go meanwhile, and held again when these return. They may return for no reason.
  void wait(Mutex& mutex) BENTO_REQUIRES(mutex) {
    Adopted lock(mutex.native_);
    native_.wait(lock.native);
  }
  template <typename Clock, typename Duration>
  std::cv_status wait_until(Mutex& mutex, const std::chrono::time_point<Clock, Duration>& when)
      BENTO_REQUIRES(mutex) {
    Adopted lock(mutex.native_);
    return native_.wait_until(lock.native, when);
  }
  template <typename Rep, typename Period>
  std::cv_status wait_for(Mutex& mutex, const std::chrono::duration<Rep, Period>& time)
      BENTO_REQUIRES(mutex) {
    Adopted lock(mutex.native_);
    return native_.wait_for(lock.native, time);
  }

 private:
  // The caller's lock as the standard's, for as long as a wait takes.
  struct Adopted {
    explicit Adopted(std::mutex& mutex) : native(mutex, std::adopt_lock) {}
    ~Adopted() { native.release(); }
    Adopted(const Adopted&) = delete;
    std::unique_lock<std::mutex> native;
  };
  std::condition_variable native_;
};

}  // namespace bentohost
