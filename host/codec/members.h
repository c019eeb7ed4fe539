// Several values by name as one JSON object: the body of a request to an API with inputs by name,
// and the response of one with outputs by name. Tensors are nested arrays, JSON is as it is, text
// is a string, and bytes are a string of Base64 with padding. Pure; any thread.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/message.h"
#include "plugin/description.h"
#include "wire/value.h"

namespace bentohost::service {

// As many values as `ins`, in their order; of kind 0 is an optional input that is missing or null.
// 400 for a body that is no JSON object, and for an array that does not fit; 422 for members that
// are missing, there twice, unknown, of another type or against their schema. Each error of a
// member begins with its JSON pointer: "/age: is missing".
Result<std::vector<wire::Value>> decode_members(std::string_view body,
                                                std::span<const plugin::IoSpec> ins);

// Encodes what `who` ("api classify") returned, which is as many values as `outs`. INTERNAL if they
// do not fit, or cannot be written. `is_checked`: they were already checked.
Result<http::Response> encode_members(std::span<const bento_value> values,
                                      std::span<const plugin::IoSpec> outs, std::string_view who,
                                      bool is_checked = false);

}  // namespace bentohost::service
