// Ticket: what all tickets share: a queue of results, an end, and who waits for them. Derived
// classes say what is under way. A plugin uses it from its ctx's loop, or from one thread; add()
// and end() may come from any thread.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
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
    std::size_t bytes = 0;  // for on_taken()
  };

  explicit Ticket(Waiter waiter) : waiter_(std::move(waiter)) {}
  virtual ~Ticket() = default;
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // Once: the plugin's reference. The ticket must be in a shared_ptr.
  TicketPtr hand_out();
  // [any] One result, which others may follow. After the end it is dropped.
  void add(Kept result);
  // [any] The first call ends the ticket: with an error, or OK with a result, the last one, or
  // without one. The results before it can be taken still. Who waits is woken: from within this
  // call only on the ctx's loop, outside of all plugins' code.
  void end(Status status, Kept result);
  void end(Status status) { end(std::move(status), Kept()); }
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
  // The plugin has taken this result of several. [where the plugin uses it]
  virtual void on_taken(std::size_t /*bytes*/) {}
  // For a ticket that tells several things, one after the other, under a lock of its own. As end(),
  // but nobody is woken yet: true: call deliver(), without the lock.
  [[nodiscard]] bool mark_ended(Status status);
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

  bool end_locked(Status status, Kept result) BENTO_REQUIRES(mutex_);
  bool tell() BENTO_REQUIRES(mutex_);
  bool is_due() const BENTO_REQUIRES(mutex_) { return has_ended_ || !queue_.empty(); }
  void await() BENTO_REQUIRES(mutex_);
  bool end_in_time() BENTO_REQUIRES(mutex_);
  // The result in front of the queue.
  Results show_first() BENTO_REQUIRES(mutex_);

  const Waiter waiter_;
  std::shared_ptr<Ticket> self_;  // the plugin's reference
  Link in_scope_;
  TimePoint ends_at_ = kNoDeadline;

  Mutex mutex_;
  CondVar changed_;
  bool has_ended_ BENTO_GUARDED_BY(mutex_) = false;
  Status status_ BENTO_GUARDED_BY(mutex_);
  Status cancelled_ BENTO_GUARDED_BY(mutex_);  // why; OK: it is not
  std::deque<Kept> queue_ BENTO_GUARDED_BY(mutex_);
  std::optional<Kept> taken_ BENTO_GUARDED_BY(mutex_);  // what next() has returned last
  bool is_first_taken_ BENTO_GUARDED_BY(mutex_) = false;
  bool are_others_taken_ BENTO_GUARDED_BY(mutex_) = false;
  Wake wake_ BENTO_GUARDED_BY(mutex_);
  std::vector<const bento_value*> pointers_ BENTO_GUARDED_BY(mutex_);  // to the shown result's
};

}  // namespace bentohost::plugin
