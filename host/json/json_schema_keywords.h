// The known JSON Schema keywords: the shape that each one's value must have to be enforced, or what
// to write instead. Data; any thread.
#pragma once

#include <string_view>

namespace bentohost {

enum class KeywordShape {
  kAnnotation,    // allowed, has no effect on validation
  kRootOnly,      // an annotation at the root; anywhere else it would move $ref's base
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
  kExclusive,  // true or false, beside the limit that it makes exclusive
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
  std::string_view way_out;  // what to write instead, for kRefused; may be empty
};

// kUnknown for a name that no draft has. "x-..." is an annotation.
SchemaKeyword find_schema_keyword(std::string_view name);

}  // namespace bentohost
