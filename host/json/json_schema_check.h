// Reads a JSON Schema keyword by keyword and either refuses it or hands back what RapidJSON's
// draft-4 validator shall enforce: the same tree without annotations, in which every keyword that
// is left has a shape that the validator honours. (It ignores what it does not know, and asserts on
// some of what it knows in the wrong shape.) A pure function over values.
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
