// A plugin without a library: an entry, a service and two APIs in the test's own process, one for
// each form that calls plugin code.
#pragma once

#include <bento/abi.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/instance.h"
#include "wire/value.h"

namespace bentohost::fakes {

// open() and close() do not get a plugin: they act on the one that was loaded last.
class FakePlugin {
 public:
  FakePlugin() {
    the_one = this;
    text.size = sizeof text;
    text.kind = BENTO_BYTES;
    text.descriptor = to_bento("text");

    for (bento_api* api : {&echo, &raw}) {
      api->size = sizeof *api;
      api->user = this;
    }
    echo.name = to_bento("echo");
    echo.in = echo.out = &text;
    echo.invoke = [](void*, const bento_api* api, bento_ctx* ctx, const bento_value* const* in,
                     std::size_t, bento_sink* sink, bento_error* error) {
      auto& self = *static_cast<FakePlugin*>(api->user);
      if (self.on_invoke) return self.on_invoke(ctx, *in[0], sink, error);
      return sink->value(sink, in[0], error);
    };
    raw.name = to_bento("raw");
    raw.raw = [](void*, const bento_api* api, const bento_call* call, bento_error* error) {
      auto& self = *static_cast<FakePlugin*>(api->user);
      return self.on_raw ? self.on_raw(*call, error) : bento_code{BENTO_OK};
    };

    service.size = sizeof service;
    service.name = to_bento("fake");
    service.apis = apis;
    service.n_apis = 2;
    service.middleware = middleware;
    service.create = [](const bento_host*, void** self, bento_error* error) {
      *self = the_one;
      return the_one->step("create", error);
    };
    service.on_startup = [](void* self, bento_error* e) { return of(self).step("on_startup", e); };
    service.on_ready = [](void* self, bento_error* e) { return of(self).step("on_ready", e); };
    service.on_shutdown = [](void* self, bento_error* e) {
      return of(self).step("on_shutdown", e);
    };
    service.destroy = [](void* self) { (void)of(self).step("destroy", nullptr); };

    entry.size = sizeof entry;
    entry.abi_major = BENTO_ABI_MAJOR;
    entry.abi_minor = BENTO_ABI_MINOR;
    entry.built_with = "a test";
    entry.open = [](const bento_host* given, bento_error* error) {
      the_one->host = given;
      const bento_service* opened = &the_one->service;
      return the_one->step("open", error) == BENTO_OK ? opened : nullptr;
    };
    entry.close = [] {
      if (the_one != nullptr) (void)the_one->step("close", nullptr);
    };
  }
  ~FakePlugin() {
    if (the_one == this) the_one = nullptr;
  }
  FakePlugin(const FakePlugin&) = delete;

  // Has the plugin describe itself by `whole` once its options are known.
  void configure(const bento_service& whole) {
    configured = &whole;
    entry.configure = [](const bento_host*, bento_error* error) {
      const bento_service* described = the_one->configured;
      return the_one->step("configure", error) == BENTO_OK ? described : nullptr;
    };
  }

  // `name`: what the operator calls the service. `description`: the hash that is expected.
  Result<std::unique_ptr<plugin::Instance>> instance(std::string name = {},
                                                     std::string description = {}) {
    the_one = this;
    return plugin::Instance::open(
        {{"/plugins/libfake.so", ""}, "{}", "test", std::move(name), std::move(description)}, entry,
        [](LogLevel, std::string_view, std::span<const LogField>) {});
  }

  std::string fails_in;  // the step that fails, with the code below
  bento_code code = BENTO_UNAVAILABLE;
  std::vector<std::string> steps;  // in the order of their calls
  std::function<bento_code(bento_ctx*, const bento_value&, bento_sink*, bento_error*)> on_invoke;
  std::function<bento_code(const bento_call&, bento_error*)> on_raw;

  // From the outermost in; service.n_middleware says how many.
  const bento_middleware* middleware[3] = {};

  const bento_host* host = nullptr;
  const bento_service* configured = nullptr;
  bento_io text{};
  bento_api echo{}, raw{};
  const bento_api* apis[2] = {&echo, &raw};
  bento_service service{};
  bento_plugin_entry entry{};

 private:
  static FakePlugin& of(void* self) { return *static_cast<FakePlugin*>(self); }
  bento_code step(const char* name, bento_error* error) {
    steps.emplace_back(name);
    if (name != fails_in) return BENTO_OK;
    return code == BENTO_OK ? BENTO_UNKNOWN : Status(code, "no " + fails_in).give(error);
  }
  inline static FakePlugin* the_one = nullptr;
};

}  // namespace bentohost::fakes
