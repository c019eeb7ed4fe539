// Every JSON Schema keyword that we have met: what its value must look like to be enforced, or what
// to write instead of it. Data; any thread.
#pragma once

#include <string_view>

namespace bentohost {

enum class KeywordShape {
  kAnnotation,    // allowed, has no effect on validation
  kRootOnly,      // an annotation at the root, but it would move $ref's base anywhere else
  kSchema,        // not
  kSchemaOrBool,  // additionalItems, additionalProperties
  kBranches,      // allOf, anyOf, oneOf
  kItems,
  kProperties,
  kPatternProperties,
  kDefinitions,
  kDependencies,
  kRef,
  kType,
  kEnum,
  kRequired,
  kNumber,
  kExclusive,  // true or false, beside the limit that it sharpens
  kCount,
  kPositiveInteger,
  kBool,
  kPattern,
  kRefused,
  kUnknown,
};

struct SchemaKeyword {
  std::string_view name;
  KeywordShape shape;
  std::string_view way_out;  // of kRefused; may be empty
};

// kUnknown for a name that is in no draft. "x-..." is an annotation.
SchemaKeyword find_schema_keyword(std::string_view name);

}  // namespace bentohost
