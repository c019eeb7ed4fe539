// From a staged file to a service in this process: the plugin's code is loaded, opened and
// describes itself; nothing of it is created yet. One thread at a time.
#pragma once

#include <memory>

#include "base/status.h"
#include "reload/generation.h"
#include "reload/service_reaper.h"
#include "reload/service_slot.h"
#include "reload/stage.h"

namespace bentohost::reload {

// Both are for the slot's next generation. The last one who drops `live` has the reaper end it.
struct LoadedGeneration {
  GenerationPtr generation;
  std::shared_ptr<service::LiveService> live;
};

// Takes `staged.config`. The errors are LiveService::load()'s, and INVALID_ARGUMENT for a service
// that is to go around others and has more in it than middleware.
Result<LoadedGeneration> load_generation(const ServiceSlot& slot, Staged& staged,
                                         ServiceReaper& reaper);

}  // namespace bentohost::reload
