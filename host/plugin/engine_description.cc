#include "plugin/engine_description.h"

#include "plugin/check_struct.h"

namespace bentohost::plugin {

Status describe_engine(const bento_method& method, const std::string& what, MethodSpec& spec) {
  spec.engine = newer_field<&bento_method::engine>(method);
  spec.streams = (method.flags & BENTO_STREAMS) != 0;
  const std::uint32_t concurrent = newer_field<&bento_method::max_concurrent>(method);
  if (spec.engine == nullptr) {
    if (method.run == nullptr) return refuse(what + " has neither a run function nor an engine");
    if (spec.streams) return refuse(what + " has BENTO_STREAMS, which takes an engine, not run");
    if (concurrent > 1) {
      return refuse(what + " has max_concurrent " + std::to_string(concurrent) +
                    ", but only an engine has several calls in flight in one worker");
    }
    return {};
  }
  if (method.run != nullptr) return refuse(what + " has both a run function and an engine");
  if (Status status = check_size(spec.engine, "bento_engine"); !status.ok()) {
    return std::move(status).prefixed(what + ": ");
  }
  if (spec.engine->begin == nullptr) return refuse(what + " has an engine without begin");
  if (spec.batchable) {
    return refuse(what + " is batchable, but the calls of an engine travel one by one");
  }
  if (newer_field<&bento_method::max_batch_wait_us>(method) != 0) {
    return refuse(what + " has max_batch_wait_us, but an engine has no batches to wait for");
  }
  if (concurrent > kMaxConcurrent) {
    return refuse(what + " has max_concurrent " + std::to_string(concurrent) + ", more than " +
                  std::to_string(kMaxConcurrent));
  }
  spec.max_concurrent = concurrent == 0 ? 1 : concurrent;
  return {};
}

Status check_stream(const std::string& what, const ApiSpec& api, const MethodSpec* method) {
  const std::string target = api.runner + "." + api.method;
  const bool method_streams = method != nullptr && method->streams;
  if (api.stream == 0) {
    if (!method_streams) return {};
    return refuse(what + ": " + target +
                  " streams, so a direct API of it must say how: `stream` is BENTO_AS_EVENTS or "
                  "BENTO_AS_LINES");
  }
  if (api.stream != BENTO_AS_EVENTS && api.stream != BENTO_AS_LINES) {
    return refuse(what + " has stream " + std::to_string(api.stream) +
                  "; this bentohost knows BENTO_AS_EVENTS and BENTO_AS_LINES");
  }
  if (method == nullptr) {
    return refuse(what + ": only a direct API has `stream`; a handler streams by itself");
  }
  if (!method_streams) {
    return refuse(what + " streams, but " + target + " does not have BENTO_STREAMS");
  }
  if (!are_named(api.outs) && api.outs.front().descriptor == "file") {
    return refuse(what + " streams bytes, which are neither events nor lines: its output must be " +
                  "JSON, text or an array");
  }
  return {};
}

}  // namespace bentohost::plugin
