// Endpoint: what answers requests of one API, in one of its three forms: direct (the host calls the
// runner), invoke (the host decodes, the plugin handles) and raw (the plugin handles the exchange).
#pragma once

#include "plugin/description.h"
#include "runner/client.h"
#include "service/codec.h"
#include "service/live_service.h"
#include "service/request.h"

namespace bentohost::service {

class Endpoint {
 public:
  // `service` must outlive it; it is started.
  Endpoint(const LiveService& service, const plugin::ApiSpec& api);

  // [any] Answers now or later. May block, but for a direct API.
  void call(const RequestPtr& request) const;

 private:
  void call_direct(const RequestPtr& request) const;
  void call_invoke(RequestContext& request) const;
  void call_raw(RequestContext& request) const;

  const LiveService& service_;
  const plugin::ApiSpec& api_;
  Decoder decoder_;
  runner::Target target_;  // direct
};

}  // namespace bentohost::service
