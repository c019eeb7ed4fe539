// What operators are told of the service table, as JSON. Pure but for what the generations are at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reload/generation.h"

namespace bentohost::reload {

struct ServiceReport {
  std::string service, file, prefix;
  bool is_around;
  std::uint64_t reloads, failures;
  std::string last_error;                  // as error_json() made it; "" for none
  std::vector<GenerationPtr> generations;  // the oldest first; the last is the one that serves
};

// {"plugins":[{"service":...,"generation":2,...,"generations":[...],"last_error":null}]}
std::string services_json(const std::vector<ServiceReport>& slots);

// {"step":...,"message":...,"at":...}, of now.
std::string error_json(std::string_view step, std::string_view message);

}  // namespace bentohost::reload
