// check_health(): does this URL of a running server answer 2xx? For `bentohost healthcheck`, so
// that a container needs no curl.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::app {

// `url` is "http://HOST:PORT/PATH" or https, without query; "/readyz" when it has no path; or
// "unix:PATH" of a socket, which is asked for "/readyz".
// `timeout` bounds each of connecting, sending and receiving. `verify`: whether a certificate must
// be trusted and fit. Blocks. OK; INVALID_ARGUMENT for another kind of URL; else UNAVAILABLE with
// the status and the answer, or with the reason why there was none.
Status check_health(std::string_view url, Duration timeout, bool verify);

}  // namespace bentohost::app
