// BENTO_SERVICE: makes a plugin of a service's description. Part of <bento/bento.hpp>.
//
//   BENTO_SERVICE(svc) {
//     svc.name("iris_classifier");
//     ...
//   }
//
// The body describes the service, and does nothing else: it runs in every process that loads the
// plugin, once each time it is loaded there. That is the child that tries it out, the serving
// process, and each runner's process; and all of them again at a reload. What opens files, ports
// or models or starts threads is for Service::on_startup (in the serving process alone) and for
// the constructors of runners. Options are not known yet. What it throws is why the plugin is
// refused.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/service.hpp>
#include <memory>

namespace bento::detail {

// The plugin's entry points; one set for each description, and a plugin has one.
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
  static void close() { service.reset(); }

  static bento_code create(const bento_host* host, void** self, bento_error* error) {
    return guard(error, [&] {
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

#if defined(__clang__)
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, clang " __clang_version__
#else
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, gcc " __VERSION__
#endif

#define BENTO_SERVICE(svc)                                         \
  static void bento_describe_service(::bento::Service& svc);       \
  extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry = { \
      sizeof(bento_plugin_entry),                                  \
      BENTO_ABI_MAJOR,                                             \
      BENTO_ABI_MINOR,                                             \
      BENTO_BUILT_WITH,                                            \
      &::bento::detail::Plugin<&bento_describe_service>::open,     \
      &::bento::detail::Plugin<&bento_describe_service>::close};   \
  static void bento_describe_service(::bento::Service& svc)
