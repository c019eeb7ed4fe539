#include "app/ready_line.h"

#include <chrono>

namespace bentohost::app {

std::string ready_line(LogFormat format, std::string_view services, std::string_view urls,
                       Duration took) {
  const std::string ms =
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  std::string line;
  if (format == LogFormat::kJson) {
    line = "{\"time\":\"";
    append_timestamp(line);
    line += "\",\"level\":\"info\",\"message\":\"ready\",\"url\":\"";
    append_json_escaped(line, urls);
    line += "\",\"services\":\"";
    append_json_escaped(line, services);
    return line + "\",\"took_ms\":" + ms + "}\n";
  }
  const std::string text = std::string("bentohost " BENTO_VERSION " serves ")
                               .append(services)
                               .append(" at ")
                               .append(urls)
                               .append(" (ready in ")
                               .append(ms)
                               .append(" ms)");
  append_printable(line, text);
  return line + "\n";
}

}  // namespace bentohost::app
