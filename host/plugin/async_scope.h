// AsyncScope: the asynchronous side of one bento_ctx: its loop, its tickets, and whether it has
// been cancelled. A plugin's code is called on that loop alone, one call at a time. [loop]
// throughout; its tickets share it, and may outlive the ctx.
#pragma once

#include <bento/abi.h>

#include "base/loop/event_loop.h"
#include "base/status.h"

namespace bentohost::plugin {

class Ticket;

// A function of a plugin that is to be called, once.
struct Wake {
  void (*function)(void* arg) = nullptr;
  void* arg = nullptr;

  explicit operator bool() const { return function != nullptr; }
};

class AsyncScope {
 public:
  // The call of a plugin that the ctx belongs to.
  class Owner {
   public:
    // Calls `wake`: the plugin goes on.
    virtual void wake(const Wake& wake) = 0;
    // The plugin has begun to wait for something.
    virtual void on_wait() = 0;

   protected:
    ~Owner() = default;
  };

  explicit AsyncScope(Owner& owner) : owner_(&owner) {}
  ~AsyncScope();
  AsyncScope(const AsyncScope&) = delete;
  AsyncScope& operator=(const AsyncScope&) = delete;

  // Call before there are tickets. The loop must live until close().
  void open(EventLoop& loop) { loop_ = &loop; }
  // [any] Not to be used after close().
  EventLoop* loop() const { return loop_; }

  // Why the ctx has been cancelled; OK: it has not.
  const Status& over() const { return over_; }
  // All tickets end with `why`, but for those of work on a thread, and who waits for them is woken.
  // The plugin may release tickets, and finish, meanwhile.
  void cancel(const Status& why);
  // The ctx is gone: nobody is woken any more.
  void close();

  // Of tickets.
  void add(Ticket& ticket);
  void remove(Ticket& ticket);
  void wake(const Wake& wake) {
    if (owner_ != nullptr) owner_->wake(wake);
  }
  void on_wait() {
    if (owner_ != nullptr) owner_->on_wait();
  }

 private:
  Owner* owner_;  // null: closed
  EventLoop* loop_ = nullptr;
  Status over_;
  Ticket* first_ = nullptr;  // a list through the tickets
};

}  // namespace bentohost::plugin
