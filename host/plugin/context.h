// The ABI's opaque handles, as interfaces that the host table calls for a plugin. The service room
// implements bento_ctx for a request, the runner room for a batch; bento_ticket is plugin::Ticket.
// Plugins see only pointers.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::plugin {

class AsyncScope;

// Who waits for the tickets of a ctx: code on a loop, which is woken, or a thread.
struct Waiter {
  std::shared_ptr<AsyncScope> scope;  // null: a thread
  // How long a thread waits for what might never come.
  TimePoint deadline = kNoDeadline;
  std::shared_ptr<const std::atomic<bool>> cancelled;  // null: only the deadline counts
};

}  // namespace bentohost::plugin

// One thing under way: a runner call, a timer, a promise, work on a thread.
struct bento_ticket {
  using Results = std::span<const bento_value* const>;

  // [worker] Waits for the first result, which lives as long as the ticket; further calls return
  // the same. FAILED_PRECONDITION on a loop.
  virtual bentohost::Result<Results> wait() = 0;
  // The next result, which lives until the next call; none: that was all. An error is how the
  // ticket has ended. On a loop PENDING in place of waiting.
  virtual bentohost::Result<Results> next() = 0;
  // [loop] As the ABI's when(). False: next() has something to say now.
  virtual bool when(void (*wake)(void*), void* arg) = 0;
  // The same for the ticket of a fetch.
  virtual bentohost::Status event(bento_event* out);
  // The plugin's last call: cancels what nobody waits for any more.
  virtual void release() = 0;

 protected:
  ~bento_ticket() = default;
};

namespace bentohost::plugin {

struct ReleaseTicket {
  void operator()(bento_ticket* ticket) const { ticket->release(); }
};
using TicketPtr = std::unique_ptr<bento_ticket, ReleaseTicket>;

}  // namespace bentohost::plugin

// One request, or one batch of a runner. Calls that are not overridden fail with UNIMPLEMENTED.
struct bento_ctx {
  virtual const bento_scope* scope() { return nullptr; }
  virtual std::string_view request_id() const { return {}; }
  virtual bentohost::Status set_status(std::uint32_t status);
  virtual bentohost::Status add_header(std::string_view name, std::string_view value);
  virtual bentohost::Status set_route(std::string_view route);
  virtual bool cancelled() const { return false; }
  // In a runner: caller `i` of the batch, or of the work; null if it has fewer callers.
  virtual const bento_caller* caller(std::size_t /*i*/) const { return nullptr; }
  virtual bentohost::Result<bentohost::plugin::TicketPtr> submit(
      std::string_view runner, std::string_view method, std::span<const bento_value* const> inputs);
  virtual bentohost::Status defer(bento_code (*task)(void*, bento_ctx*, bento_error*), void* arg,
                                  void (*drop)(void*));
  virtual bentohost::Status defer_async(bento_code (*task)(void*, bento_ctx*, bento_done*,
                                                           bento_error*),
                                        void* arg, void (*drop)(void*));
  // Who waits for timers and promises. An error: this ctx has none, or it has been cancelled.
  virtual bentohost::Result<bentohost::plugin::Waiter> waiter();
  virtual bentohost::Result<bentohost::plugin::TicketPtr> offload(void (*work)(void*), void* arg);
  virtual bentohost::Result<bentohost::plugin::TicketPtr> fetch(const bento_fetch& request);

 protected:
  ~bento_ctx() = default;
};
