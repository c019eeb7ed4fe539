// From a request's body to a value and from a result to a response, as an API's descriptors say:
// one decoder and one encoder for all APIs. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"
#include "codec/ndarray.h"
#include "http/message.h"
#include "plugin/description.h"
#include "wire/value.h"

namespace bentohost::service {

// Errors carry their HTTP status: 400 what cannot be read, 415 a media type that is not taken, 422
// JSON that breaks the schema. The Content-Type of JSON and arrays is not looked at, as BentoML
// does not.
class Decoder {
 public:
  explicit Decoder(const plugin::IoSpec& spec);
  Result<wire::Value> decode(const http::Request& request) const;

 private:
  const plugin::IoSpec& spec_;
  TensorSpec tensor_;
};

// One value, which `who` returned ("api classify"), as `spec` says of it. INTERNAL for what is not
// so, or cannot be written. `is_checked`: it has been held against `spec` already.
Result<http::Response> encode(std::span<const bento_value> values, const plugin::IoSpec& spec,
                              std::string_view who, bool is_checked = false);

}  // namespace bentohost::service
