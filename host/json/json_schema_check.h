// Checks a JSON Schema keyword by keyword. Refuses it, or returns the part that RapidJSON's draft-4
// validator enforces: the same tree without annotations, in which every remaining keyword has a
// shape that the validator honours. (The validator ignores unknown keywords, and asserts on some
// known ones with the wrong shape.) A pure function over values.
#pragma once

#include <rapidjson/document.h>

#include <cstddef>

#include "base/status.h"

namespace bentohost {

struct CheckedSchema {
  rapidjson::Document assertions;  // JSON pointers into it are pointers into the original
  bool uses_pattern = false;       // `pattern` or `patternProperties`
  bool uses_unique_items = false;
};

// INVALID_ARGUMENT: "schema /properties/n: const is not enforced here: write enum with one value".
Result<CheckedSchema> check_schema(const rapidjson::Value& schema);

}  // namespace bentohost
