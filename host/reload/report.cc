#include "reload/report.h"

#include <chrono>
#include <ctime>

#include "base/log.h"

namespace bentohost::reload {
namespace {

// Appends ,"name":"text" or, for the first member, the same without the comma.
void member(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out += ',';
  out += '"';
  out += name;
  out += "\":\"";
  append_json_escaped(out, text);
  out += '"';
}

void raw_member(std::string& out, std::string_view name, std::string_view json) {
  if (out.back() != '{') out += ',';
  out += '"';
  out += name;
  out += "\":";
  out += json;
}

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, n};
}

std::string generation_json(const Generation& generation) {
  std::string out = "{";
  raw_member(out, "generation", std::to_string(generation.number));
  member(out, "state", name_of(generation.state));
  member(out, "version", generation.version);
  member(out, "build_id", generation.build_id);
  member(out, "loaded_at", rfc3339(generation.loaded_at));
  raw_member(out, "requests", std::to_string(generation.leases()));
  return out + "}";
}

}  // namespace

std::string services_json(const std::vector<ServiceReport>& slots) {
  std::string out = "{\"plugins\":[";
  for (const ServiceReport& slot : slots) {
    if (out.back() != '[') out += ',';
    std::string one = "{";
    member(one, "service", slot.service);
    member(one, "kind", slot.is_around ? "middleware" : "service");
    member(one, "file", slot.file);
    member(one, "prefix", slot.prefix);
    raw_member(one, "generation", std::to_string(slot.generations.back()->number));
    std::string generations = "[";
    for (const GenerationPtr& generation : slot.generations) {
      if (generations.back() != '[') generations += ',';
      generations += generation_json(*generation);
    }
    raw_member(one, "generations", generations + "]");
    raw_member(one, "reloads", std::to_string(slot.reloads));
    raw_member(one, "failures", std::to_string(slot.failures));
    raw_member(one, "last_error", slot.last_error.empty() ? "null" : slot.last_error);
    out += one + "}";
  }
  return out + "]}\n";
}

std::string error_json(std::string_view step, std::string_view message) {
  std::string out = "{";
  member(out, "step", step);
  member(out, "message", message);
  member(out, "at", rfc3339(std::chrono::system_clock::now()));
  return out + "}";
}

}  // namespace bentohost::reload
