// Endpoint: answers the requests of one API, in one of three forms: direct (the host calls the
// runner; no thread waits; the results of a method that streams are streamed), invoke (the host
// decodes, the plugin handles) and raw (the plugin handles the exchange). Handlers of the last two
// are called on a thread, or are asynchronous.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/codec.h"
#include "http/message.h"
#include "plugin/description.h"
#include "runner/client.h"
#include "service/live_service.h"
#include "service/loop_stalls.h"
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
  class DecodedCall;
  class AsyncInvoke;
  class DirectStream;
  // Bodies and results up to this size are decoded and encoded on the event loop: at some 200 MB/s
  // that takes less than a millisecond. Larger ones would delay other connections.
  static constexpr std::size_t kMaxOnLoop = 128u << 10;

  void call_invoke_async(const RequestPtr& request, RequestDeps& deps) const;
  void call_raw_async(const RequestPtr& request, RequestDeps& deps) const;
  void call_stream(const RequestPtr& request, RequestDeps& deps) const;
  void call_direct(const RequestPtr& request, RequestDeps& deps) const;
  void answer_call(const RequestPtr& request, const runner::CallResult& outcome,
                   RequestDeps& deps) const;
  void call_and_wait(RequestContext& request) const;
  void call_invoke(RequestContext& request) const;
  void call_raw(RequestContext& request) const;
  Result<std::vector<wire::Value>> decode_inputs(const http::Request& request) const;
  void answer_with(RequestContext& request, std::span<const bento_value> values) const;
  void answer_on_thread(const RequestPtr& request, const runner::CallResult& outcome,
                        RequestDeps& deps) const;

  const LiveService& service_;
  const plugin::ApiSpec& api_;
  const std::string who_;  // "api classify"
  const bool has_names_;   // its inputs are by name
  Decoder decoder_;        // of a single input
  runner::Target target_;  // direct
  mutable LoopStalls stalls_;
  bool is_checked_ = false;  // results have been checked against their description already
};

// [loop, or the request's thread] Calls an asynchronous function of a plugin, which answers through
// a channel. `who`, `name` and `stalls` outlive the request; `name` names the function in the log.
using AsyncFunction = std::function<bento_code(const bento_call*, bento_done*, bento_error*)>;
void answer_async(const RequestPtr& request, RequestDeps& deps, const std::string& who,
                  std::string_view name, LoopStalls& stalls, AsyncFunction function);

// Bytes of all values.
std::size_t size_of(std::span<const bento_value> values);

}  // namespace bentohost::service
