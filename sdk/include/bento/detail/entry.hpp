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

  static const bento_service* open(const bento_host*, bento_error* error) {
    const bento_code code = guard(error, [] {
      service = std::make_unique<Service>();
      Describe(*service);
      bento_service& abi = service->abi_;
      abi.create = &create;
      abi.destroy = [](void* self) { delete static_cast<ServiceState*>(self); };
      abi.on_startup = service->on_startup_ ? &hook<&Service::on_startup_> : nullptr;
      abi.on_ready = service->on_ready_ ? &hook<&Service::on_ready_> : nullptr;
      abi.on_shutdown = service->on_shutdown_ ? &hook<&Service::on_shutdown_> : nullptr;
    });
    return code == BENTO_OK ? service->abi() : nullptr;
  }
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
  template <Service::Hook Service::*Member>
  static bento_code hook(void* self, bento_error* error) {
    return guard(error,
                 [&] { ((*service).*Member)(static_cast<const ServiceState*>(self)->options); });
  }
};

}  // namespace bento::detail
