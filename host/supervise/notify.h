// Notify: what a service tells systemd of itself, after sd_notify(3), and how often it wants to
// hear that we are well, after sd_watchdog_enabled(3). Without a NOTIFY_SOCKET nothing is sent. Any
// thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace bentohost::supervise {

// One datagram of "NAME=VALUE" lines to $NOTIFY_SOCKET. False: there is none, or it does not take
// it.
bool notify(std::string_view state);
void notify_ready(std::string_view status);
void notify_reloading(std::string_view status);  // another "ready" follows

// $WATCHDOG_USEC, if it is for this process ($WATCHDOG_PID): so often, at least, WATCHDOG=1 is due.
std::optional<Duration> watchdog_interval();

}  // namespace bentohost::supervise
