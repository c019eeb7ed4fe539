// The tickets that are not runner calls: timers, promises, work on a thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "base/loop/thread_pool.h"
#include "base/status.h"
#include "plugin/context.h"

namespace bentohost::plugin {

// [where the plugin uses it] Ends, without a result, `ns` nanoseconds after now.
TicketPtr make_timer(Waiter waiter, TimePoint now, std::uint64_t ns);

// Ends when `resolver` is given to resolve(), which must happen once.
TicketPtr make_promise(Waiter waiter, void** resolver);
// [any]
void resolve(void* resolver, bento_code code, const bento_value* or_null, const bento_error* error);

// Calls `work` once, on a thread of `threads`, in any case: when the pool stops before, on the
// thread that stops it. The ticket ends when it has returned. RESOURCE_EXHAUSTED, UNAVAILABLE: it
// is not taken.
Result<TicketPtr> offload(Waiter waiter, ThreadPool& threads, std::function<void()> work);

}  // namespace bentohost::plugin
