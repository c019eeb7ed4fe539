#include "reload/slot_names.h"

#include <algorithm>
#include <string>
#include <utility>

namespace bentohost::reload {
namespace {

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

Status check_around(const ServiceSlots& slots) {
  for (const ServiceSlot& slot : slots.all) {
    if (!slot.options.is_around || slot.options.around.empty()) continue;
    const bool is_known =
        std::any_of(slots.all.begin(), slots.all.end(), [&](const ServiceSlot& other) {
          return !other.options.is_around && other.service == slot.options.around;
        });
    if (is_known) continue;
    std::string all;
    for (const ServiceSlot& other : slots.all) {
      if (!other.options.is_around) all += (all.empty() ? "" : ", ") + other.service;
    }
    return invalid("--use " + slot.options.around + ":" + slot.options.name +
                   ": there is no such service; here is " + all);
  }
  return {};
}

// "/opt/libiris.so by its own name".
std::string how_it_is_named(const ServiceSlot& slot) {
  return (slot.path.empty() ? slot.options.library : slot.path) +
         (slot.options.instance.empty() ? " by its own name" : " by its --plugin");
}

}  // namespace

Status check_name_is_free(const ServiceSlots& slots, const ServiceSlot& slot) {
  bool is_first = false;
  for (const ServiceSlot& other : slots.all) {
    if (&other == &slot) is_first = true;
    if (&other == &slot || other.service != slot.service) continue;
    // Two services may be intended, so one has to be renamed; two --use of one middleware are not.
    if (slot.options.is_around && other.options.is_around) {
      return invalid("--use " + slot.service +
                     " is given twice: it goes around each service, or one");
    }
    return invalid("two services are called " + slot.service + ": " +
                   how_it_is_named(is_first ? slot : other) + ", and " +
                   how_it_is_named(is_first ? other : slot) +
                   "; give one another name: --plugin NAME=LIBRARY");
  }
  return {};
}

Status check_slot_names(const ServiceSlots& slots) {
  if (Status status = check_around(slots); !status.ok()) return status;
  for (const ServiceSlot& slot : slots.all) {
    if (Status status = check_name_is_free(slots, slot); !status.ok()) return status;
  }
  return {};
}

}  // namespace bentohost::reload
