// Endpoint: answers the requests of one API, in one of three forms: direct (the host calls the
// runner; no thread waits), invoke (the host decodes, the plugin handles) and raw (the plugin
// handles the exchange).
#pragma once

#include <span>
#include <string>

#include "codec/codec.h"
#include "http/message.h"
#include "plugin/description.h"
#include "runner/client.h"
#include "service/live_service.h"
#include "service/request.h"

namespace bentohost::service {

class Endpoint {
 public:
  // `service` is started and must outlive the endpoint.
  Endpoint(const LiveService& service, const plugin::ApiSpec& api);

  http::BodyPlan plan() const;
  // [loop] Answers now or later; work that may block or take long goes to the threads of `deps`.
  void call(const RequestPtr& request, RequestDeps& deps) const;

 private:
  void call_direct(const RequestPtr& request, RequestDeps& deps) const;
  void answer_call(const RequestPtr& request, const runner::CallResult& outcome,
                   RequestDeps& deps) const;
  void call_and_wait(RequestContext& request) const;
  void call_invoke(RequestContext& request) const;
  void call_raw(RequestContext& request) const;
  void answer_with(RequestContext& request, std::span<const bento_value> values) const;
  void answer_on_thread(const RequestPtr& request, const runner::CallResult& outcome,
                        RequestDeps& deps) const;

  const LiveService& service_;
  const plugin::ApiSpec& api_;
  const std::string who_;  // "api classify"
  Decoder decoder_;
  runner::Target target_;    // direct
  bool is_checked_ = false;  // results have been checked against their description already
};

}  // namespace bentohost::service
