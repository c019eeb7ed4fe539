// <bento/bento.hpp>: everything that a service in C++20 needs, on top of the C ABI in
// <bento/abi.h>. Header only, and the one header that most plugins include; the headers below say
// what each class promises, and sdk/README.md shows them by example. Only the ABI's structs cross
// the line to the host, so host and plugin may be built by different compilers.
//
// Not in it, each for a library of its own: <bento/http_client.hpp>, <bento/httplib_app.hpp>, the
// stock middleware in bento/middleware/, and <bento/testing.hpp> for unit tests. What is in
// bento/detail/ is not for plugins, and may change with any version.
#pragma once

#include <bento/abi.h>

#include <bento/api.hpp>
#include <bento/app.hpp>
#include <bento/async.hpp>
#include <bento/async_stream.hpp>
#include <bento/background.hpp>
#include <bento/batch.hpp>
#include <bento/call.hpp>
#include <bento/concurrent.hpp>
#include <bento/context.hpp>
#include <bento/detail/entry.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/fetch.hpp>
#include <bento/fields.hpp>
#include <bento/future.hpp>
#include <bento/generator.hpp>
#include <bento/headers.hpp>
#include <bento/io.hpp>
#include <bento/metrics.hpp>
#include <bento/middleware.hpp>
#include <bento/promise.hpp>
#include <bento/query.hpp>
#include <bento/result_stream.hpp>
#include <bento/router.hpp>
#include <bento/runner.hpp>
#include <bento/service.hpp>
#include <bento/stream.hpp>
#include <bento/tensor.hpp>
#include <bento/values.hpp>
#include <bento/work.hpp>

#if defined(__clang__)
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, clang " __clang_version__
#else
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, gcc " __VERSION__
#endif

#if BENTO_ABI_TARGET_MINOR >= 1
#define BENTO_ENTRY_SINCE_1_1(Describe) , &::bento::detail::Plugin<Describe>::configure
#else
#define BENTO_ENTRY_SINCE_1_1(Describe)
#endif

// Makes a plugin of a service's description: defines bento_entry, the one symbol that the host
// looks up. Once in a library, at namespace scope; `svc` is a bento::Service& in the body that
// follows.
//
//   BENTO_SERVICE(svc) {
//     svc.name("iris_classifier");
//     svc.api("hello", [](std::string_view name) { return "Hello, " + std::string(name) + "!"; });
//   }
//
// The body describes the service and does nothing else. It runs in every process that loads the
// plugin, each time it is loaded there: in the child process that tries the plugin out, in the
// serving process, and in each runner's process; at a reload, in new ones of all of these. Files,
// ports and models are opened, and threads started, in Service::on_startup (the serving process
// alone) or in the constructor of a runner. Options have no values yet: what depends on them is for
// Service::configure. What the body throws is the reason for which the plugin is refused.
#define BENTO_SERVICE(svc)                                                            \
  static void bento_describe_service(::bento::Service& svc);                          \
  extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry = {                    \
      sizeof(bento_plugin_entry),                                                     \
      BENTO_ABI_MAJOR,                                                                \
      BENTO_ABI_TARGET_MINOR,                                                         \
      BENTO_BUILT_WITH,                                                               \
      &::bento::detail::Plugin<&bento_describe_service>::open,                        \
      &::bento::detail::Plugin<&bento_describe_service>::close BENTO_ENTRY_SINCE_1_1( \
          &bento_describe_service)};                                                  \
  static void bento_describe_service(::bento::Service& svc)
