#include "http/message.h"

namespace bentohost::http {

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::string joined_header(const Headers& headers, std::string_view name) {
  std::string joined;
  bool is_first = true;
  for (const Header& header : headers) {
    if (header.name != name) continue;
    if (!is_first) joined += ", ";
    joined += header.value;
    is_first = false;
  }
  return joined;
}

}  // namespace bentohost::http
