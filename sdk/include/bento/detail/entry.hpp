// Plugin: the entry points that BENTO_SERVICE exports. Part of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/metrics.hpp>
#include <bento/service.hpp>
#include <memory>

namespace bento::detail {

// The plugin's entry points: one set for each description; a plugin has one description.
template <void (*Describe)(Service&)>
struct Plugin {
  inline static std::unique_ptr<Service> service;

  static const bento_service* open([[maybe_unused]] const bento_host* host, bento_error* error) {
    const bento_code code = guard(error, [&] {
      service = std::make_unique<Service>();
      Describe(*service);
#if BENTO_ABI_TARGET_MINOR >= 1
      if (service->configure_ && host->abi_minor < 1) {
        throw Error(BENTO_FAILED_PRECONDITION,
                    "this service is described after its options are known, which needs a "
                    "bentohost of ABI 1.1; this one has 1.0");
      }
      if (service->has_coroutines() && host->abi_minor < 1) {
        throw Error(BENTO_FAILED_PRECONDITION,
                    "this service has handlers that are coroutines, which need a bentohost of ABI "
                    "1.1; this one has 1.0");
      }
#endif
      bento_service& abi = service->abi_;
      abi.create = &create;
      abi.destroy = [](void* self) { delete static_cast<ServiceState*>(self); };
      set_hooks();
    });
    return code == BENTO_OK ? service->abi() : nullptr;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  static const bento_service* configure(const bento_host* host, bento_error* error) {
    const bento_code code = guard(error, [&] {
      if (service->configure_) service->configure_(*service, Options(host));
      set_hooks();
    });
    return code == BENTO_OK ? service->abi() : nullptr;
  }
#endif
  static void close() {
#if BENTO_ABI_TARGET_MINOR >= 1
    MetricList::get().unbind();
#endif
    service.reset();
  }

  static bento_code create(const bento_host* host, void** self, bento_error* error) {
    return guard(error, [&] {
#if BENTO_ABI_TARGET_MINOR >= 1
      MetricList::get().bind(host);
#endif
      auto state = std::make_unique<ServiceState>(host);
      service->create(*state);
      *self = state.release();
    });
  }
  static void set_hooks() {
    bento_service& abi = service->abi_;
    abi.on_startup = service->on_startup_ ? &hook<&Service::on_startup_> : nullptr;
    abi.on_ready = service->on_ready_ ? &hook<&Service::on_ready_> : nullptr;
    abi.on_shutdown = service->on_shutdown_ ? &hook<&Service::on_shutdown_> : nullptr;
  }
  template <Service::Hook Service::*Member>
  static bento_code hook(void* self, bento_error* error) {
    return guard(error,
                 [&] { ((*service).*Member)(static_cast<const ServiceState*>(self)->options); });
  }
};

}  // namespace bento::detail
