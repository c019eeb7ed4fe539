// Ticket: one thing under way in the host, and what awaits it. Part of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/detail/coroutine.hpp>
#include <bento/error.hpp>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <span>

namespace bento::detail {

struct ReleaseTicket {
  const bento_host* host = nullptr;
  void operator()(bento_ticket* ticket) const { host->release(ticket); }
};
using Ticket = std::unique_ptr<bento_ticket, ReleaseTicket>;

#if BENTO_ABI_TARGET_MINOR >= 1

// Suspends until the ticket, which is somebody else's, has a result or has ended.
class TicketWait : public Wait {
 public:
  explicit TicketWait(Ticket& ticket) : ticket_(ticket) {}

  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    if (ticket_ == nullptr) misuse(BENTO_FAILED_PRECONDITION, "it was cancelled before");
    return begin(whom) && suspend();
  }

 protected:
  // After begin(). False: there is nothing to wait for.
  bool suspend() {
    const bento_host* host = ticket_.get_deleter().host;
    if (host->when(ticket_.get(), &wake, static_cast<Wait*>(this)) != 0) return true;
    stay();
    return false;
  }
  std::span<const bento_value* const> take() {
    throw_if_cancelled();
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = make_error();
    check(ticket_.get_deleter().host->next(ticket_.get(), &values, &n, &error), error);
    return {values, n};
  }
  void cancel() override {
    ticket_.reset();
    resume();
  }

  Ticket& ticket_;
};

#endif

}  // namespace bento::detail
