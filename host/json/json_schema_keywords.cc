#include "json/json_schema_keywords.h"

namespace bentohost {
namespace {

using enum KeywordShape;

constexpr SchemaKeyword kKeywords[] = {
    // Enforced by RapidJSON 1.1 (rapidjson/schema.h, Schema's constructor).
    {"type", kType, ""},
    {"enum", kEnum, ""},
    {"allOf", kBranches, ""},
    {"anyOf", kBranches, ""},
    {"oneOf", kBranches, ""},
    {"not", kSchema, ""},
    {"properties", kProperties, ""},
    {"patternProperties", kPatternProperties, ""},
    {"additionalProperties", kSchemaOrBool, ""},
    {"required", kRequired, ""},
    {"dependencies", kDependencies, ""},
    {"minProperties", kCount, ""},
    {"maxProperties", kCount, ""},
    {"items", kItems, ""},
    {"additionalItems", kSchemaOrBool, ""},
    {"minItems", kCount, ""},
    {"maxItems", kCount, ""},
    {"uniqueItems", kBool, ""},
    {"minLength", kCount, ""},
    {"maxLength", kCount, ""},
    {"pattern", kPattern, ""},
    {"minimum", kNumber, ""},
    {"maximum", kNumber, ""},
    {"exclusiveMinimum", kExclusive, ""},
    {"exclusiveMaximum", kExclusive, ""},
    {"multipleOf", kPositiveInteger, ""},
    {"$ref", kRef, ""},
    {"definitions", kDefinitions, ""},
    {"$defs", kDefinitions, ""},
    // Annotations of the drafts and of OpenAPI 3.0's schema object.
    {"$schema", kAnnotation, ""},
    {"$comment", kAnnotation, ""},
    {"$vocabulary", kAnnotation, ""},
    {"title", kAnnotation, ""},
    {"description", kAnnotation, ""},
    {"default", kAnnotation, ""},
    {"example", kAnnotation, ""},
    {"examples", kAnnotation, ""},
    {"format", kAnnotation, ""},
    {"deprecated", kAnnotation, ""},
    {"readOnly", kAnnotation, ""},
    {"writeOnly", kAnnotation, ""},
    {"contentEncoding", kAnnotation, ""},
    {"contentMediaType", kAnnotation, ""},
    {"contentSchema", kAnnotation, ""},
    {"discriminator", kAnnotation, ""},
    {"externalDocs", kAnnotation, ""},
    {"xml", kAnnotation, ""},
    {"id", kRootOnly, ""},
    {"$id", kRootOnly, ""},
    // Keywords that the validator would ignore.
    {"const", kRefused, "write enum with one value"},
    {"contains", kRefused, ""},
    {"minContains", kRefused, ""},
    {"maxContains", kRefused, ""},
    {"propertyNames", kRefused, ""},
    {"prefixItems", kRefused, "write items as an array"},
    {"unevaluatedItems", kRefused, "write additionalItems"},
    {"unevaluatedProperties", kRefused, "write additionalProperties"},
    {"dependentRequired", kRefused, "write dependencies"},
    {"dependentSchemas", kRefused, "write dependencies"},
    {"if", kRefused, "write anyOf"},
    {"then", kRefused, "write anyOf"},
    {"else", kRefused, "write anyOf"},
    {"nullable", kRefused, "add \"null\" to type"},
    {"$anchor", kRefused, "refer by JSON pointer: #/definitions/..."},
    {"$dynamicAnchor", kRefused, ""},
    {"$dynamicRef", kRefused, "write $ref"},
    {"$recursiveAnchor", kRefused, ""},
    {"$recursiveRef", kRefused, "write $ref"},
    {"divisibleBy", kRefused, "write multipleOf"},
    {"disallow", kRefused, "write not"},
    {"extends", kRefused, "write allOf"},
};

}  // namespace

SchemaKeyword find_schema_keyword(std::string_view name) {
  for (const SchemaKeyword& keyword : kKeywords) {
    if (keyword.name == name) return keyword;
  }
  return {name, name.starts_with("x-") ? kAnnotation : kUnknown, ""};
}

}  // namespace bentohost
