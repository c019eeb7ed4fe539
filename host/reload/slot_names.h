// The names in the slots at the start, once each plugin has said what its service is called:
// whether they can stand beside each other. Pure.
#pragma once

#include "base/status.h"
#include "reload/service_slot.h"

namespace bentohost::reload {

// INVALID_ARGUMENT names the first fault: a --use around a service that is not there, one
// middleware in two --use, two services of one name.
Status check_slot_names(const ServiceSlots& slots);

}  // namespace bentohost::reload
