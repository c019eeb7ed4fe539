// check_health(): does this URL of a running server answer 2xx? For `bentohost healthcheck`, so
// that a container needs no curl.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::app {

// `url` is "http://HOST:PORT/PATH" or https, without a query; without a path it means "/readyz". Or
// it is "unix:PATH" of a socket, which is asked for "/readyz".
// `timeout` bounds each of connecting, sending and receiving. `verify`: whether a certificate must
// be trusted and match the host. Blocks. INVALID_ARGUMENT for another kind of URL; UNAVAILABLE with
// the status and the response's body, or with the reason why no response came.
Status check_health(std::string_view url, Duration timeout, bool verify);

}  // namespace bentohost::app
