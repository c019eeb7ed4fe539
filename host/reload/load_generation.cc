#include "reload/load_generation.h"

#include <chrono>
#include <utility>

#include "plugin/helper_libraries.h"
#include "plugin/unique_symbols.h"

namespace bentohost::reload {
namespace {

GenerationPtr next_generation(const ServiceSlot& slot, const Staged& staged) {
  auto generation = std::make_shared<Generation>();
  generation->service = slot.service;
  generation->number = slot.current != nullptr ? slot.current->number + 1 : 1;
  generation->own_name = staged.own_name;
  generation->version = staged.version;
  generation->build_id = staged.facts.build_id;
  generation->loaded_at = std::chrono::system_clock::now();
  generation->copy = staged.copy;
  generation->stamp = staged.stamp;
  generation->files = staged.files;
  generation->files_state = staged.files_state;
  return generation;
}

bool is_middleware_alone(const plugin::ServiceSpec& spec) {
  return spec.apis.empty() && spec.mounts.empty() && spec.runners.empty() &&
         !spec.middleware.empty();
}

}  // namespace

Result<LoadedGeneration> load_generation(const ServiceSlot& slot, Staged& staged,
                                         ServiceReaper& reaper) {
  const GenerationPtr generation = next_generation(slot, staged);
  // Even if loading fails, the symbols that the loader has bound stay bound.
  plugin::note_unique_symbols(slot.path, staged.facts, staged.brought);
  auto loaded = service::LiveService::load(std::move(staged.config), slot.options.prefix,
                                           slot.options.mounts);
  plugin::note_helper_libraries(slot.path, staged.brought, *staged.copy);
  if (!loaded.ok()) return std::move(loaded).take_status();
  auto live = reaper.adopt(*std::move(loaded), generation);
  generation->live = live;
  if (slot.options.is_around && !is_middleware_alone(live->spec())) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "--use " + live->spec().name +
                      ": it is a service, to be served with --plugin, and no middleware alone");
  }
  return LoadedGeneration{generation, std::move(live)};
}

}  // namespace bentohost::reload
