// Ticket: what all tickets share: a result or none, an end, and who waits for them. Derived classes
// say what is under way. A plugin uses it from its ctx's loop, or from one thread; end() may come
// from any thread.
#pragma once

#include <bento/abi.h>

#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "plugin/async_scope.h"
#include "plugin/context.h"
#include "wire/value.h"

namespace bentohost::plugin {

class Ticket : public bento_ticket, public std::enable_shared_from_this<Ticket> {
 public:
  using Values = std::vector<wire::Value>;
  // A result: its values, and what keeps the memory that they point into.
  struct Kept {
    std::span<const bento_value> values;
    std::shared_ptr<const void> memory;
  };

  explicit Ticket(Waiter waiter) : waiter_(std::move(waiter)) {}
  virtual ~Ticket() = default;
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // Once: the plugin's reference. The ticket must be in a shared_ptr.
  TicketPtr hand_out();
  // [any] The first call ends the ticket: with an error, or OK with a result or without one. Who
  // waits is woken: from within this call only on the ctx's loop, outside of all plugins' code.
  void end(Status status, Kept result = {});
  void end(Status status, Values result);

  // bento_ticket
  Result<Results> wait() final;
  Result<Results> next() final;
  bool when(void (*wake)(void*), void* arg) final;
  void release() final;

 protected:
  // Nobody waits for its result any more. [where the plugin uses it] May come several times.
  virtual void let_go() {}
  virtual bool ends_when_cancelled() const { return true; }
  // For a ticket that tells several things, one after the other, under a lock of its own. As end(),
  // but nobody is woken yet: true: call deliver(), without the lock.
  [[nodiscard]] bool mark_ended(Status status, Kept result = {});
  void deliver();
  // What it ended with has been taken, and more is to come. Without effect after a cancellation.
  void reopen();
  // Waits on a thread until it has ended; on a loop PENDING in place of waiting.
  Status await_end();
  // For a ticket that time ends: when a thread that waits for it ends it.
  void end_at(TimePoint when) { ends_at_ = when; }
  const Waiter& waiter() const { return waiter_; }

 private:
  friend class AsyncScope;
  struct Link {
    bool is_in = false;
    Ticket *previous = nullptr, *next = nullptr;
  };

  // Called by the scope.
  void cancel(const Status& why);
  void leave_scope();

  void await() BENTO_REQUIRES(mutex_);
  bool end_in_time() BENTO_REQUIRES(mutex_);
  Results results() BENTO_REQUIRES(mutex_);

  const Waiter waiter_;
  std::shared_ptr<Ticket> self_;  // the plugin's reference
  Link in_scope_;
  TimePoint ends_at_ = kNoDeadline;

  Mutex mutex_;
  CondVar ended_;
  bool has_ended_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_taken_ BENTO_GUARDED_BY(mutex_) = false;  // the result, by next()
  Status status_ BENTO_GUARDED_BY(mutex_);
  Status cancelled_ BENTO_GUARDED_BY(mutex_);  // why; OK: it is not
  Kept result_ BENTO_GUARDED_BY(mutex_);
  Wake wake_ BENTO_GUARDED_BY(mutex_);
  std::vector<const bento_value*> pointers_ BENTO_GUARDED_BY(mutex_);  // to the result's values
};

}  // namespace bentohost::plugin
