// MountRecord: an app, a folder or a program as declared by Service::mount(), files(),
// mount_asgi() and the like. Part of <bento/bento.hpp>; see <bento/service.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/api_record.hpp>
#include <bento/error.hpp>
#include <bento/stream.hpp>
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

  std::string prefix, process;
  std::function<void(Context&, Stream&)> app;
  const ServiceState* state = nullptr;  // from create() on
  bento_mount abi{};
};

}  // namespace bento::detail
