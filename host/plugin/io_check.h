// Checks values against their declarations: the inputs of runner methods, and the results of
// methods and APIs. Pure; any thread.
#pragma once

#include <bento/abi.h>

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "plugin/description.h"

namespace bentohost::plugin {

// "image/png" for "Image/PNG; x=y".
std::string media_type(std::string_view content_type);
// Whether a body of media type `type` fits the declared one, which may be a pattern: "image/*". ""
// as declared fits any.
bool fits_media_type(std::string_view declared, std::string_view type);
bool is_media_pattern(std::string_view declared);  // not a type by itself

// Checks a method's input: kind, dtype and shape. `who` is the method. INVALID_ARGUMENT:
// "clf.predict takes shape (n, 4), got (1, 3)".
Status check_input(const bento_value& value, const IoSpec& spec, std::string_view who);

// Checks the result of a method or an API: the same, and for other values than tensors also the
// media type, that text is UTF-8, that JSON is valid and fits its schema. INTERNAL: "api classify
// returned shape (1, 3), but declares shape (n, 2)". A tensor costs a few comparisons.
Status check_output(const bento_value& value, const IoSpec& spec, std::string_view who);
// Checks all results of a method for one caller, or of an API: of those without a name there may be
// any number, and each fits the one description; those by name are as many as are declared.
Status check_outputs(std::span<const bento_value> values, std::span<const IoSpec> specs,
                     std::string_view who);

}  // namespace bentohost::plugin
