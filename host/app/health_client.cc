#include "app/health_client.h"

#include <utility>

#include "app/client.h"

namespace bentohost::app {
namespace {

// How much of the response an error quotes: enough for the detail of a problem.
constexpr std::size_t kMaxQuoted = 400;

}  // namespace

Status check_health(std::string_view url, Duration timeout, bool verify) {
  const std::size_t scheme = url.find("://");
  const bool is_unix = url.starts_with("unix:");
  if (!is_unix && (scheme == std::string_view::npos ||
                   (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https"))) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "expected a URL such as http://127.0.0.1:3000/readyz, or unix:PATH");
  }
  const std::size_t slash = is_unix ? std::string_view::npos : url.find('/', scheme + 3);
  const std::string origin(url.substr(0, slash));
  const std::string path(slash == std::string_view::npos ? "/readyz" : url.substr(slash));

  auto answer = ask({"GET", origin, path, timeout, verify});
  if (!answer.ok()) return std::move(answer).take_status();
  if ((*answer).status >= 200 && (*answer).status < 300) return {};
  return Status(BENTO_UNAVAILABLE, path + " is " + std::to_string((*answer).status) + ": " +
                                       (*answer).body.substr(0, kMaxQuoted));
}

}  // namespace bentohost::app
