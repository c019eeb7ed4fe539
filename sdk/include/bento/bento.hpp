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
#include <bento/entry.hpp>
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
