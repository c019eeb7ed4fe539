// Checks the slots' service names at the start, once each plugin has named its service. Pure.
#pragma once

#include "base/status.h"
#include "reload/service_slot.h"

namespace bentohost::reload {

// INVALID_ARGUMENT if another slot has the service name of this one, which is one of `slots`.
Status check_name_is_free(const ServiceSlots& slots, const ServiceSlot& slot);

// INVALID_ARGUMENT names the first fault: a --use around a service that does not exist, the same
// middleware in two --use, two services with the same name.
Status check_slot_names(const ServiceSlots& slots);

}  // namespace bentohost::reload
