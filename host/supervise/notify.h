// Notify: tells systemd the state of the service, as sd_notify(3), and how often systemd wants a
// sign of life, as sd_watchdog_enabled(3). Without a NOTIFY_SOCKET nothing is sent. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace bentohost::supervise {

// Sends a datagram of "NAME=VALUE" lines to $NOTIFY_SOCKET. False: the variable is not set, or the
// socket does not take the datagram.
bool notify(std::string_view state);
void notify_ready(std::string_view status);
void notify_reloading(std::string_view status);  // another "ready" follows

// $WATCHDOG_USEC if it is for this process ($WATCHDOG_PID): the longest time between WATCHDOG=1.
std::optional<Duration> watchdog_interval();

}  // namespace bentohost::supervise
