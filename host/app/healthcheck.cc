#include "app/healthcheck.h"

#include <cstdio>

#include "app/config.h"
#include "app/health_client.h"

namespace bentohost::app {

namespace {

constexpr char kUsage[] =
    "usage: bentohost healthcheck [--timeout SECONDS] [--insecure] [URL]\n"
    "  Asks a running host whether it is ready.\n"
    "  URL         http://127.0.0.1:3000/readyz by default; or unix:PATH of a socket\n"
    "  --timeout   2 s by default\n"
    "  --insecure  accepts any certificate, with https://\n"
    "  The exit code is 0 when the answer is 2xx, 1 when it is not, 2 for a wrong command line.\n";

}  // namespace

int healthcheck(const std::vector<std::string>& arguments) {
  std::string url = "http://127.0.0.1:3000/readyz";
  Duration timeout = std::chrono::seconds(2);
  bool verify = true;
  const auto usage = [](const std::string& what) {
    std::fprintf(stderr, "bentohost healthcheck: %s\n%s", what.c_str(), kUsage);
    return 2;
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--help" || arguments[i] == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
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
  const Status status = check_health(url, timeout, verify);
  if (status.ok()) return 0;
  if (status.code() == BENTO_INVALID_ARGUMENT) return usage(status.message());
  std::fprintf(stderr, "bentohost healthcheck: %s\n", status.message().c_str());
  return 1;
}

}  // namespace bentohost::app
