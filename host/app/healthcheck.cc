#include "app/healthcheck.h"

#include <cstdio>

#include "app/config.h"
#include "app/health_client.h"

namespace bentohost::app {

int healthcheck(const std::vector<std::string>& arguments) {
  std::string url = "http://127.0.0.1:3000/readyz";
  Duration timeout = std::chrono::seconds(2);
  bool verify = true;
  const auto usage = [](const std::string& what) {
    std::fprintf(stderr,
                 "bentohost healthcheck: %s\n"
                 "usage: bentohost healthcheck [--timeout SECONDS] [--insecure] "
                 "[http://127.0.0.1:3000/readyz | unix:PATH]\n",
                 what.c_str());
    return 2;
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--insecure") {
      verify = false;
    } else if (arguments[i] == "--timeout" && i + 1 < arguments.size()) {
      const auto given = parse_seconds(arguments[++i]);
      if (!given.ok()) return usage("--timeout: " + given.status().message());
      timeout = *given;
    } else if (arguments[i].starts_with("-")) {
      return usage("unknown option " + arguments[i]);
    } else {
      url = arguments[i];
    }
  }
  const Status status = http::check_health(url, timeout, verify);
  if (status.ok()) return 0;
  if (status.code() == BENTO_INVALID_ARGUMENT) return usage(status.message());
  std::fprintf(stderr, "bentohost healthcheck: %s\n", status.message().c_str());
  return 1;
}

}  // namespace bentohost::app
