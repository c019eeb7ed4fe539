// What of a request has to run on a thread, for it may wait, or take long: handlers, mounted apps,
// middleware that waits, large bodies. It is looked at when a thread comes to it: what nobody waits
// for by then, because the deadline has passed or the client is gone, is never begun.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>

#include "base/loop/thread_pool.h"
#include "base/status.h"
#include "service/request.h"
#include "service/request_deps.h"

namespace bentohost::service {

// [any] Calls `f` on a thread of the environment's, or fails the request and never calls it: at
// once with 503 when too many wait or there is no thread to be had, later with why nobody wants it
// any more. Calls it here when the request is on a thread already, or there are no threads.
// std::bad_alloc out of `f` fails the request alone.
void run_for(const RequestPtr& request, RequestDeps& deps, std::function<void()> f);

// The same where there is no RequestContext yet. `fail` answers the exchange; `tracked exchange` is
// kept.
void run_for(const std::shared_ptr<TrackedExchange>& tracked, std::size_t bytes, RequestDeps& deps,
             std::function<void()> f, std::function<void(const Status&)> fail);

Status out_of_memory();

// [loop, or the request's thread] Calls `f` at once, with the same care.
template <typename F>
void guard(const RequestPtr& request, F&& f) {
  try {
    f();
  } catch (const std::bad_alloc&) {
    request->give_up(out_of_memory());
  }
}

}  // namespace bentohost::service
