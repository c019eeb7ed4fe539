// What operators are told of the fleet, as JSON. Pure but for what the generations are at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reload/generation.h"

namespace bentohost::reload {

struct SeatReport {
  std::string service, file, prefix;
  bool is_around;
  std::uint64_t reloads, failures;
  std::string last_error;                  // as error_json() made it; "" for none
  std::vector<GenerationPtr> generations;  // the oldest first; the last is the one that serves
};

// {"plugins":[{"service":...,"generation":2,...,"generations":[...],"last_error":null}]}
std::string fleet_json(const std::vector<SeatReport>& seats);

// {"step":...,"message":...,"at":...}, of now.
std::string error_json(std::string_view step, std::string_view message);

}  // namespace bentohost::reload
