// FetchTicket: a fetch of the host's; and a wait with a limit. Part of <bento/fetch.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::detail {

inline const bento_http_client& http_client_of(const bento_host* host) {
  const void* table =
      BENTO_HAS(host, extension) ? host->extension(host, BENTO_EXT_HTTP_CLIENT) : nullptr;
  if (table == nullptr) {
    misuse(BENTO_UNIMPLEMENTED,
           "fetch: there is no HTTP client here: in a runner, or for a plugin that was built with "
           "the SDK of another release than the host's");
  }
  return *static_cast<const bento_http_client*>(table);
}

class FetchTicket {
 public:
  FetchTicket(const bento_host* host, bento_ctx* ctx, const bento_fetch& request)
      : client_(&http_client_of(host)) {
    bento_ticket* made = nullptr;
    bento_error error = make_error();
    check(client_->fetch(ctx, &request, &made, &error), error);
    ticket = Ticket(made, {host});
  }

  // [waits, but on a loop] What it lends is valid until the next call.
  bento_event event() {
    if (ticket == nullptr) misuse(BENTO_FAILED_PRECONDITION, "the fetch was given up before");
    bento_event event{};
    event.size = sizeof event;
    bento_error error = make_error();
    const bento_code code = client_->event(ticket.get(), &event, &error);
    if (code == BENTO_PENDING) {
      misuse(BENTO_FAILED_PRECONDITION,
             "get() would hold up an event loop and all its connections: co_await the fetch");
    }
    check(code, error);
    return event;
  }

  Ticket ticket;

 private:
  const bento_http_client* client_;
};

// Suspends until the ticket has something to say, or the time is up: then it is given up.
class LimitedWait : public Wait {
 public:
  LimitedWait(const Context& ctx, Ticket& ticket, std::chrono::nanoseconds limit)
      : ctx_(ctx), ticket_(ticket), limit_(limit) {}
  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    return begin(whom) && (suspend() || (stay(), false));
  }

 protected:
  void check_limit(const std::string& what) {
    throw_if_cancelled();
    if (!is_late_) return;
    // The timer ends early, and with an error, when the request is cancelled.
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = make_error();
    check(host()->next(timer_.get(), &values, &n, &error), error);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count();
    throw Error(BENTO_DEADLINE_EXCEEDED,
                what + " has not answered within " + std::to_string(ms) + " ms");
  }

 private:
  const bento_host* host() const { return ctx_.host(); }
  bool suspend() {
    if (ticket_ == nullptr) misuse(BENTO_FAILED_PRECONDITION, "it was given up before");
    if (host()->when(ticket_.get(), &LimitedWait::on_result, this) == 0) return false;
    bento_ticket* timer = nullptr;
    const auto ns = static_cast<std::uint64_t>(limit_.count() > 0 ? limit_.count() : 0);
    bento_error error = make_error();
    const bento_code code = host()->after(ctx_.abi(), ns, &timer, &error);
    if (code != BENTO_OK) ticket_.reset();  // so that it does not wake
    check(code, error);
    timer_ = Ticket(timer, {host()});
    if (host()->when(timer, &LimitedWait::on_limit, this) != 0) return true;
    is_late_ = true;
    ticket_.reset();
    return false;
  }
  static void on_result(void* self) {
    static_cast<LimitedWait*>(self)->timer_.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  static void on_limit(void* self) {
    static_cast<LimitedWait*>(self)->is_late_ = true;
    static_cast<LimitedWait*>(self)->ticket_.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  void cancel() override {
    timer_.reset();
    ticket_.reset();
    resume();
  }

  const Context& ctx_;
  Ticket& ticket_;
  const std::chrono::nanoseconds limit_;
  Ticket timer_;
  bool is_late_ = false;
};

}  // namespace bento::detail
#endif
