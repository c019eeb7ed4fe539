// Runs on threads the work that may wait or take long: handlers, mounted apps, middleware that
// waits, large bodies. When a thread takes the work up and nobody waits for it any more, because
// the deadline has passed or the client is gone, it is never begun.
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

// [any] Calls `f` on a thread of `deps`, or fails the request and never calls `f`: at once with 503
// when too many jobs wait or no thread can be had, later when nobody waits for the request.
// Calls `f` here when the request is on a thread already, or `deps` has no threads.
// std::bad_alloc from `f` fails the request alone.
void run_for(const RequestPtr& request, RequestDeps& deps, std::function<void()> f);

// The same where there is no RequestContext yet. `fail` answers the exchange; `tracked` is kept.
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
