// Apps that are coroutines, or have some: what Service::mount() makes of them. Part of
// <bento/bento.hpp>; see <bento/app.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/app.hpp>
#include <bento/async.hpp>
#include <bento/context.hpp>
#include <bento/detail/async_exchange.hpp>
#include <bento/detail/mount_record.hpp>
#include <bento/stream.hpp>
#include <memory>
#include <type_traits>
#include <utility>

namespace bento::detail {

// Whether an app is a function that is a coroutine.
template <typename F>
constexpr bool is_async_app() {
  if constexpr (requires { &F::operator(); }) {
    return is_coroutine_handler<F>();
  } else {
    return false;
  }
}

#if BENTO_ABI_TARGET_MINOR >= 1

template <typename F>
void mount_coroutine(MountRecord& record, F app) {
  record.async_app = [handler = make_async_handler(std::move(app))](
                         const Context& context, const bento_call& call, bento_done* done) {
    drive(handler, context, call.channel, {}, done);
  };
  record.abi.call_async = &MountRecord::call_async;
}

// A Router: some of its handlers may be coroutines.
template <typename App>
void mount_both(MountRecord& record, App app) {
  const auto shared = std::make_shared<const App>(std::move(app));
  record.app = [shared](Context& context, Stream& stream) { shared->call(context, stream); };
  if (!shared->has_coroutines()) return;
  record.async_app = [shared](const Context& context, const bento_call& call, bento_done* done) {
    shared->call_async(context, call, done);
  };
  record.is_for_async = [shared](const bento_scope& scope) { return shared->is_for_async(scope); };
  record.abi.call_async = &MountRecord::call_async;
  record.abi.takes_async = &MountRecord::takes_async;
}

#else

template <typename F>
void mount_coroutine(MountRecord&, F);
template <typename App>
void mount_both(MountRecord&, App);

#endif

}  // namespace bento::detail
