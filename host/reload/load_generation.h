// Turns a staged file into a service in this process: the plugin's code is loaded, opened and
// describes itself; its create is not called yet. One thread at a time.
#pragma once

#include <memory>

#include "base/status.h"
#include "reload/generation.h"
#include "reload/service_reaper.h"
#include "reload/service_slot.h"
#include "reload/stage.h"

namespace bentohost::reload {

// Both belong to the slot's next generation. When the last copy of `live` goes, the reaper ends it.
struct LoadedGeneration {
  GenerationPtr generation;
  std::shared_ptr<service::LiveService> live;
};

// Moves from `staged.config`. The errors are LiveService::load()'s, and INVALID_ARGUMENT for a
// service that wraps others (--use) and has more in it than middleware.
Result<LoadedGeneration> load_generation(const ServiceSlot& slot, Staged& staged,
                                         ServiceReaper& reaper);

}  // namespace bentohost::reload
