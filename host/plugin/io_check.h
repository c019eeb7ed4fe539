// Values held against what was declared of them: what a runner method is given, and what methods
// and APIs return. Pure; any thread.
#pragma once

#include <bento/abi.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "plugin/description.h"

namespace bentohost::plugin {

// "image/png" of "Image/PNG; x=y".
std::string media_type(std::string_view content_type);
// Whether a body of that media type is of the declared one, which may be a pattern: "image/*".
// "" as declared is any.
bool fits_media_type(std::string_view declared, std::string_view type);
bool is_media_pattern(std::string_view declared);  // no type by itself

bool is_utf8(std::string_view text);

// What a method is given: kind, dtype and shape. INVALID_ARGUMENT: "clf.predict takes shape (n, 4),
// got (1, 3)"; `who` is the method.
Status check_input(const bento_value& value, const IoSpec& spec, std::string_view who);

// What a method or an API has returned: the same, and of what is no tensor also its media type,
// that text is UTF-8, that JSON is JSON and keeps to its schema. INTERNAL: "api classify returned
// shape (1, 3), but declares shape (n, 2)". A tensor costs a few comparisons.
Status check_output(const bento_value& value, const IoSpec& spec, std::string_view who);

}  // namespace bentohost::plugin
