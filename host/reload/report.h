// The service table's report to operators, as JSON. Pure, apart from reading generations' states.
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
  std::string last_error;                  // from error_json(); "" for none
  std::vector<GenerationPtr> generations;  // the oldest first; the last is the one that serves
};

// {"plugins":[{"service":...,"generation":2,...,"generations":[...],"last_error":null}]}
std::string services_json(const std::vector<ServiceReport>& slots);

// {"step":...,"message":...,"at":...}, with the present time.
std::string error_json(std::string_view step, std::string_view message);

}  // namespace bentohost::reload
