#include "http/health_client.h"

#include <httplib.h>

namespace bentohost::http {
namespace {

// Of the answer, in an error: the detail of a problem is within it.
constexpr std::size_t kMaxQuoted = 400;

}  // namespace

Status check_health(std::string_view url, Duration timeout, bool verify) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos ||
      (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https")) {
    return Status(BENTO_INVALID_ARGUMENT, "expected a URL such as http://127.0.0.1:3000/readyz");
  }
  const std::size_t slash = url.find('/', scheme + 3);
  const std::string origin(url.substr(0, slash));
  const std::string path(slash == std::string_view::npos ? "/readyz" : url.substr(slash));

  httplib::Client client(origin);
  if (!client.is_valid()) {
    return Status(BENTO_INVALID_ARGUMENT, origin + " is not scheme, host and port");
  }
  const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(timeout);
  client.set_connection_timeout(limit);
  client.set_read_timeout(limit);
  client.set_write_timeout(limit);
  client.enable_server_certificate_verification(verify);
  const httplib::Result result = client.Get(path);
  if (!result) {
    return Status(BENTO_UNAVAILABLE,
                  "no answer from " + origin + ": " + httplib::to_string(result.error()));
  }
  if (result->status >= 200 && result->status < 300) return {};
  return Status(BENTO_UNAVAILABLE, path + " is " + std::to_string(result->status) + ": " +
                                       result->body.substr(0, kMaxQuoted));
}

}  // namespace bentohost::http
