#include "app/supervision.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "base/log.h"
#include "http/server/server.h"
#include "supervise/sockets.h"
#include "supervise/supervisor.h"

namespace bentohost::app {
namespace {

Result<http::ServerOptions> fallback_options(const Config& config) {
  http::ServerOptions options;
  options.limits = config.limits;
  options.proxies = config.forwarded_allow_ips;
  if (!config.tls.certfile.empty()) {
    auto tls = http::TlsContext::create(config.tls);
    if (!tls.ok()) return std::move(tls).take_status().prefixed("TLS: ");
    options.tls = *std::move(tls);
  }
  return options;
}

Result<std::vector<http::Listener>> listeners_of(const Config& config, bool is_resumed) {
  if (!is_resumed) return http::open_listeners(config.listeners());
  auto listeners = supervise::take_sockets();
  if (!listeners.ok()) return listeners;
  for (http::Listener& each : *listeners) {
    if (each.inherited || each.address.path.empty()) continue;
    each.file.reset(new std::string(each.address.path));
  }
  return listeners;
}

}  // namespace

int supervise_service(const Config& config, const std::string& exe,
                      const std::vector<std::string>& arguments) {
  configure_log(config.log_level, config.log_format, "supervisor");
  const auto resumed = supervise::take_resumed();
  auto listeners = listeners_of(config, resumed.has_value());
  if (!listeners.ok()) {
    std::fprintf(stderr, "bentohost: %s\n", listeners.status().message().c_str());
    return 1;
  }
  return supervise::supervise(
      {{exe, arguments}, [&config] { return fallback_options(config); }, config.watchdog},
      *std::move(listeners), resumed);
}

}  // namespace bentohost::app
