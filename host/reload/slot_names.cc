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
  return slot.path + (slot.options.instance.empty() ? " by its own name" : " by its --plugin");
}

}  // namespace

Status check_slot_names(const ServiceSlots& slots) {
  if (Status status = check_around(slots); !status.ok()) return status;
  for (auto slot = slots.all.begin(); slot != slots.all.end(); ++slot) {
    const auto same = std::find_if(std::next(slot), slots.all.end(), [&](const ServiceSlot& other) {
      return other.service == slot->service;
    });
    if (same == slots.all.end()) continue;
    // Two services may be intended, so one has to be renamed; two --use of one middleware are not.
    if (slot->options.is_around && same->options.is_around) {
      return invalid("--use " + slot->service +
                     " is given twice: it goes around each service, or one");
    }
    return invalid("two services are called " + slot->service + ": " + how_it_is_named(*slot) +
                   ", and " + how_it_is_named(*same) +
                   "; give one another name: --plugin NAME=LIBRARY");
  }
  return {};
}

}  // namespace bentohost::reload
