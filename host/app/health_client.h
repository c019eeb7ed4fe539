// A question to a running server: does this URL answer 2xx? For `bentohost healthcheck`, so that a
// container needs no curl.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::http {

// `url` is "http://HOST:PORT/PATH" or https, without query; "/readyz" when it has no path; or
// "unix:PATH" of a socket, which is asked for "/readyz".
// `timeout` bounds each of connecting, sending and receiving. `verify`: whether a certificate must
// be trusted and fit. Blocks. OK; INVALID_ARGUMENT for what is no such URL; else UNAVAILABLE with
// the status and what was answered, or the reason why nothing was.
Status check_health(std::string_view url, Duration timeout, bool verify);

}  // namespace bentohost::http
