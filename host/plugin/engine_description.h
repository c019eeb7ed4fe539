// Descriptions of engines and streams: what fits together. Pure; any thread.
#pragma once

#include <bento/abi.h>

#include <string>

#include "base/status.h"
#include "plugin/description.h"

namespace bentohost::plugin {

inline constexpr std::uint32_t kMaxConcurrent = 65536;  // calls in one worker

// Sets what the method says of its engine; `spec` has its flags. FAILED_PRECONDITION, with `what`
// ("method llm.generate") in front: neither `run` nor an engine, or something that contradicts it.
Status describe_engine(const bento_method& method, const std::string& what, MethodSpec& spec);

// Whether the API's `stream` goes with its form, with its runner method (null: none) and with its
// output.
Status check_stream(const std::string& what, const ApiSpec& api, const MethodSpec* method);

}  // namespace bentohost::plugin
