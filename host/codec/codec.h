// Decodes a request's body into a value and encodes a result into a response, as an API's
// descriptors say. One decoder and one encoder for all APIs. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"
#include "codec/ndarray.h"
#include "http/message.h"
#include "plugin/description.h"
#include "wire/value.h"

namespace bentohost::service {

// Errors carry their HTTP status: 400 for a body that cannot be read, 415 for a media type that is
// not accepted, 422 for JSON that violates the schema. Like BentoML, ignores the Content-Type of
// JSON and arrays.
class Decoder {
 public:
  explicit Decoder(const plugin::IoSpec& spec);
  Result<wire::Value> decode(const http::Request& request) const;

 private:
  const plugin::IoSpec& spec_;
  TensorSpec tensor_;
};

// Encodes the one value that `who` ("api classify") returned. INTERNAL if the value does not fit
// `spec` or cannot be written. `is_checked`: it was already checked against `spec`.
Result<http::Response> encode(std::span<const bento_value> values, const plugin::IoSpec& spec,
                              std::string_view who, bool is_checked = false);

}  // namespace bentohost::service
