// <bento/bento.hpp>: everything that a service in C++20 needs, on top of the C ABI in
// <bento/abi.h>. Header only; nothing of it crosses the line to the host but the ABI's structs. See
// sdk/README.md.
#pragma once

#include <bento/abi.h>

#include <bento/api.hpp>
#include <bento/app.hpp>
#include <bento/background.hpp>
#include <bento/call.hpp>
#include <bento/context.hpp>
#include <bento/detail/entry.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/fields.hpp>
#include <bento/headers.hpp>
#include <bento/io.hpp>
#include <bento/middleware.hpp>
#include <bento/query.hpp>
#include <bento/router.hpp>
#include <bento/runner.hpp>
#include <bento/service.hpp>
#include <bento/stream.hpp>
#include <bento/tensor.hpp>

#if defined(__clang__)
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, clang " __clang_version__
#else
#define BENTO_BUILT_WITH "bento-sdk 0.1.0, gcc " __VERSION__
#endif

// Makes a plugin of a service's description.
//
//   BENTO_SERVICE(svc) {
//     svc.name("iris_classifier");
//     ...
//   }
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
