#include "supervise/restarts.h"

#include <charconv>

namespace bentohost::supervise {

std::string to_text(const RestartCounts& counts) {
  std::string text;
  for (const auto& [reason, count] : counts) {
    text += (text.empty() ? "" : ",") + reason + ":" + std::to_string(count);
  }
  return text;
}

RestartCounts parse_restart_counts(std::string_view text) {
  RestartCounts counts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::size_t colon = part.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    unsigned count = 0;
    const auto [end, error] =
        std::from_chars(part.data() + colon + 1, part.data() + part.size(), count);
    if (error == std::errc() && end == part.data() + part.size()) {
      counts[std::string(part.substr(0, colon))] = count;
    }
  }
  return counts;
}

}  // namespace bentohost::supervise
