#include "http/message.h"

namespace bentohost::http {

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

bool has_header(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return true;
  }
  return false;
}

bool is_bodiless(std::string_view method, int status) {
  return method == "HEAD" || status == 204 || status == 205 || status == 304;
}

Status no_body_memory() {
  return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                           "the server is overloaded: the bodies of requests take all the memory "
                           "that they may (--max-body-memory)");
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
