// FetchTicket: a fetch of the host's. Part of <bento/fetch.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>

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

}  // namespace bento::detail
#endif
