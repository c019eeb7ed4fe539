// MountRecord: an app, a folder or a program as declared by Service::mount(), files(),
// mount_asgi() and the like. Part of <bento/bento.hpp>; see <bento/service.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/api_record.hpp>
#include <bento/error.hpp>
#include <bento/stream.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace bento::detail {

struct MountRecord {
  MountRecord() = default;
  MountRecord(const MountRecord&) = delete;

  static bento_code call(void* self, const bento_call* call, bento_error* error) {
    return guard(error, [&] {
      const auto& record = *static_cast<const MountRecord*>(self);
      Context context(record.state->host, call->ctx, record.state->options);
      Stream stream(call->channel);
      stream.run([&] { record.app(context, stream); });
    });
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  static bento_code call_async(void* self, const bento_call* call, bento_done* done,
                               bento_error* error) {
    return guard(error, [&] {
      const auto& record = *static_cast<const MountRecord*>(self);
      record.async_app(Context(record.state->host, call->ctx, record.state->options), *call, done);
    });
  }
  static std::int32_t takes_async(void* self, const bento_scope* scope) noexcept {
    const auto& record = *static_cast<const MountRecord*>(self);
    return record.is_for_async(*scope) ? 1 : 0;
  }
  std::function<void(const Context&, const bento_call&, bento_done*)> async_app;
  std::function<bool(const bento_scope&)> is_for_async;  // empty: all requests are
#endif

  std::string prefix, process;
  std::function<void(Context&, Stream&)> app;
  const ServiceState* state = nullptr;  // from create() on
  bento_mount abi{};
};

}  // namespace bento::detail
