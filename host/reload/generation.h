// Generation: the record of one loaded generation of a service, for operators and for its end.
// The users of the service own the service itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin/private_copy.h"
#include "service/live_service.h"

namespace bentohost::reload {

enum class State {
  kStarting,  // not serving yet
  kServing,   // new requests go to it
  kDraining,  // replaced; it still has requests
  kRetiring,  // its on_shutdown and destroy are being called
  kRetired,   // ended; its image is still mapped
  kUnmapped,  // ended, and its image is unmapped
};
const char* name_of(State state);

struct Generation {
  std::string service;
  std::uint64_t number = 1;
  std::string own_name;  // what its plugin calls the service
  std::string version, build_id;
  std::chrono::system_clock::time_point loaded_at;
  plugin::PrivateCopyPtr copy;  // until it is retired
  plugin::FileStamp stamp;
  std::vector<std::string> files;  // that its description was made from
  std::string files_state;         // state_of_files(), before they were read
  std::atomic<State> state = State::kStarting;
  TimePoint replaced_at{};
  bool was_warned_of = false;
  std::weak_ptr<service::LiveService> live;  // expired: nobody uses it any more

  std::size_t leases() const {
    const auto held = live.lock();
    return held != nullptr ? held->leases.load() : 0;
  }
};
using GenerationPtr = std::shared_ptr<Generation>;

}  // namespace bentohost::reload
