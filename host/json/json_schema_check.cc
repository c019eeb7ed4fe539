#include "json/json_schema_check.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <rapidjson/pointer.h>
#include <rapidjson/stringbuffer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/json_pattern.h"
#include "json/json_schema_graph.h"
#include "json/json_schema_keywords.h"

namespace bentohost {
namespace {

using rapidjson::Value;
using Edge = SchemaGraph::Edge;

std::string_view view(const Value& string) {
  return {string.GetString(), string.GetStringLength()};
}

std::string child(const std::string& pointer, std::string_view token) {
  std::string out = pointer + '/';
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

Status refuse(const std::string& pointer, std::string_view what) {
  const std::string where = pointer.empty() ? "the root" : pointer;
  return {BENTO_INVALID_ARGUMENT, "schema: " + where + ": " + std::string(what)};
}

bool is_type_name(std::string_view name) {
  return name == "null" || name == "boolean" || name == "object" || name == "array" ||
         name == "string" || name == "number" || name == "integer";
}

// False for an incomplete or non-hexadecimal escape.
bool percent_decode(std::string_view text, std::string& out) {
  try {
    Poco::URI::decode(std::string(text), out);
    return true;
  } catch (const Poco::URISyntaxException&) {
    return false;
  }
}

bool all_strings(const Value& array) {
  for (const Value& element : array.GetArray()) {
    if (!element.IsString()) return false;
  }
  return true;
}

class SchemaChecker {
 public:
  explicit SchemaChecker(CheckedSchema& out) : out_(out) {}

  Status run(const Value& schema) {
    Value kept;
    if (Status s = check(schema, "", kept); !s.ok()) return s;
    if (Status s = resolve_refs(); !s.ok()) return s;
    static_cast<Value&>(out_.assertions) = std::move(kept);
    return graph_.check_recursion();
  }

 private:
  struct Ref {
    std::string from, to;
  };

  // Checks one schema and copies the keywords to enforce to `kept`.
  Status check(const Value& schema, const std::string& pointer, Value& kept) {
    if (!schema.IsObject()) {
      return refuse(pointer, schema.IsBool() ? "true and false are not schemas before draft 6: "
                                               "write {} or {\"not\": {}}"
                                             : "a schema must be an object");
    }
    graph_.add_schema(pointer);
    kept.SetObject();
    for (auto member = schema.MemberBegin(); member != schema.MemberEnd(); ++member) {
      const std::string_view name = view(member->name);
      const SchemaKeyword keyword = find_schema_keyword(name);
      if (schema.FindMember(member->name) != member) {
        return refuse(pointer, std::string(name) + " appears twice");
      }
      if (keyword.shape == KeywordShape::kAnnotation) continue;
      if (keyword.shape == KeywordShape::kRootOnly && pointer.empty()) continue;
      Value copy;
      if (Status s = check_keyword(keyword, schema, member->value, pointer, copy); !s.ok()) {
        return s;
      }
      // An empty map demands nothing, and makes RapidJSON call memset() with a null pointer.
      if (keyword.shape == KeywordShape::kDependencies && copy.ObjectEmpty()) continue;
      kept.AddMember(Value(member->name, allocator()), copy, allocator());
    }
    return check_siblings(kept, pointer);
  }

  Status check_keyword(const SchemaKeyword& keyword, const Value& schema, const Value& value,
                       const std::string& pointer, Value& copy) {
    const std::string here = child(pointer, keyword.name);
    switch (keyword.shape) {
      case KeywordShape::kSchema:
        return descend(value, pointer, here, Edge::kBranch, copy);
      case KeywordShape::kSchemaOrBool:
        if (!value.IsBool()) return descend(value, pointer, here, Edge::kMember, copy);
        break;
      case KeywordShape::kBranches:
        return check_list(value, pointer, here, Edge::kBranch, copy);
      case KeywordShape::kItems:
        if (value.IsArray()) return check_list(value, pointer, here, Edge::kMember, copy);
        return descend(value, pointer, here, Edge::kMember, copy);
      case KeywordShape::kProperties:
        return check_map(value, pointer, here, Edge::kMember, copy);
      case KeywordShape::kPatternProperties:
        return check_pattern_properties(value, schema, pointer, here, copy);
      case KeywordShape::kDefinitions:
        return check_map(value, pointer, here, {}, copy);
      case KeywordShape::kRef:
        return check_ref(value, pointer, copy);
      case KeywordShape::kDependencies:
        return check_map(value, pointer, here, Edge::kBranch, copy, /*or_names=*/true);
      default:
        if (Status s = check_leaf(keyword, value, pointer, here); !s.ok()) return s;
        break;
    }
    copy.CopyFrom(value, allocator());
    return {};
  }

  // For keywords whose values contain no schemas.
  Status check_leaf(const SchemaKeyword& keyword, const Value& value, const std::string& pointer,
                    const std::string& here) {
    const std::string name(keyword.name);
    switch (keyword.shape) {
      case KeywordShape::kType:
        return check_type(value, here);
      case KeywordShape::kEnum:
        return check_enum(value, here);
      case KeywordShape::kPattern:
        if (!value.IsString()) return refuse(here, "must be a string");
        return check_pattern(view(value), here);
      case KeywordShape::kRequired:
        if (!value.IsArray() || !all_strings(value)) {
          return refuse(here, "must be an array of names, as in draft 4");
        }
        return {};
      case KeywordShape::kNumber:
        return value.IsNumber() ? Status() : refuse(here, "must be a number");
      case KeywordShape::kExclusive:
        if (value.IsBool()) return {};
        return refuse(here, name == "exclusiveMinimum"
                                ? "must be true or false, as in draft 4: write \"minimum\": n, "
                                  "\"exclusiveMinimum\": true"
                                : "must be true or false, as in draft 4: write \"maximum\": n, "
                                  "\"exclusiveMaximum\": true");
      case KeywordShape::kCount:
        return value.IsUint() ? Status() : refuse(here, "must be an integer from 0 to 4294967295");
      case KeywordShape::kPositiveInteger:
        if (value.IsUint64() && value.GetUint64() > 0) return {};
        return refuse(here, "must be a positive integer: no fraction is exact in binary");
      case KeywordShape::kBool:
        if (!value.IsBool()) return refuse(here, "must be true or false");
        out_.uses_unique_items = out_.uses_unique_items || value.GetBool();
        return {};
      case KeywordShape::kRootOnly:
        return refuse(here, "is allowed at the root only");
      case KeywordShape::kRefused:
        return refuse(pointer, name + " is not enforced here" +
                                   (keyword.way_out.empty() ? "" : ": ") +
                                   std::string(keyword.way_out));
      default:
        return refuse(pointer, name + " is not a JSON Schema keyword; notes go in x-" + name);
    }
  }

  Status descend(const Value& value, const std::string& from, const std::string& to, Edge edge,
                 Value& copy) {
    graph_.add_edge(from, edge, to);
    return check(value, to, copy);
  }

  Status check_list(const Value& list, const std::string& from, const std::string& here, Edge edge,
                    Value& copy) {
    if (!list.IsArray() || list.Empty()) {
      return refuse(here, "must be an array of at least one schema");
    }
    copy.SetArray();
    for (rapidjson::SizeType i = 0; i < list.Size(); ++i) {
      Value element;
      const std::string to = child(here, std::to_string(i));
      if (Status s = descend(list[i], from, to, edge, element); !s.ok()) return s;
      copy.PushBack(element, allocator());
    }
    return {};
  }

  // An object of schemas. No `edge`: they are definitions, used only by reference. With `or_names`,
  // a member may also be an array of property names.
  Status check_map(const Value& map, const std::string& from, const std::string& here,
                   std::optional<Edge> edge, Value& copy, bool or_names = false) {
    if (!map.IsObject()) return refuse(here, "must be an object of schemas");
    copy.SetObject();
    for (auto member = map.MemberBegin(); member != map.MemberEnd(); ++member) {
      const std::string to = child(here, view(member->name));
      if (map.FindMember(member->name) != member) return refuse(to, "appears twice");
      Value schema;
      if (or_names && member->value.IsArray()) {
        if (!all_strings(member->value)) return refuse(to, "must be an array of names or a schema");
        schema.CopyFrom(member->value, allocator());
      } else {
        if (edge) graph_.add_edge(from, *edge, to);
        if (Status s = check(member->value, to, schema); !s.ok()) return s;
      }
      if (Status s = check_not_misread(view(member->name), schema, to); !s.ok()) return s;
      copy.AddMember(Value(member->name, allocator()), schema, allocator());
    }
    return {};
  }

  // RapidJSON also reads each map of schemas as if it were a schema. That is harmless except for
  // two names, on which it asserts: "patternProperties" that is not an object, and "dependencies"
  // with an array of anything but strings.
  static Status check_not_misread(std::string_view name, const Value& schema,
                                  const std::string& pointer) {
    if (name == "patternProperties" && !schema.IsObject()) {
      return refuse(pointer, "must be a schema, for a property of this name");
    }
    if (name != "dependencies" || !schema.IsObject()) return {};
    for (const auto& member : schema.GetObject()) {
      if (member.value.IsArray() && !all_strings(member.value)) {
        return refuse(pointer, "a schema of this name cannot have " +
                                   std::string(view(member.name)) +
                                   ": put it under definitions and refer to it");
      }
    }
    return {};
  }

  Status check_pattern_properties(const Value& map, const Value& schema, const std::string& pointer,
                                  const std::string& here, Value& copy) {
    // With both keywords the validator loses count of its own stack.
    const auto additional = schema.FindMember("additionalProperties");
    if (additional != schema.MemberEnd() && !additional->value.IsTrue()) {
      return refuse(here, "is not enforced beside additionalProperties");
    }
    if (map.IsObject()) {
      for (const auto& member : map.GetObject()) {
        if (Status s = check_pattern(view(member.name), here); !s.ok()) return s;
      }
    }
    return check_map(map, pointer, here, Edge::kPattern, copy);
  }

  Status check_pattern(std::string_view pattern, const std::string& here) {
    out_.uses_pattern = true;
    const std::string defect = pattern_defect(pattern);
    if (defect.empty()) return {};
    return refuse(here, "the expression " + std::string(pattern) + " is not enforced: " + defect);
  }

  static Status check_type(const Value& value, const std::string& here) {
    const bool one = value.IsString() && is_type_name(view(value));
    bool many = value.IsArray() && !value.Empty();
    if (many) {
      for (const Value& name : value.GetArray()) {
        many = many && name.IsString() && is_type_name(view(name));
      }
    }
    if (one || many) return {};
    return refuse(here,
                  "must name one or more of null, boolean, object, array, string, number, "
                  "integer");
  }

  // Objects and arrays would be compared by hashes that ignore member order and duplicates.
  static Status check_enum(const Value& value, const std::string& here) {
    if (!value.IsArray() || value.Empty()) {
      return refuse(here, "must be an array of at least one value");
    }
    for (const Value& element : value.GetArray()) {
      if (element.IsObject() || element.IsArray()) {
        return refuse(here, "must not hold objects or arrays");
      }
    }
    return {};
  }

  Status check_ref(const Value& value, const std::string& pointer, Value& copy) {
    const std::string here = child(pointer, "$ref");
    if (!value.IsString() || !view(value).starts_with('#')) {
      return refuse(here, "must be a JSON pointer into this document, such as #/definitions/name");
    }
    std::string text;
    const bool decoded = percent_decode(view(value).substr(1), text);
    const rapidjson::Pointer target(text.data(), text.size());
    if (!decoded || !target.IsValid()) return refuse(here, "is not a JSON pointer");
    refs_.push_back({pointer, text});
    // RapidJSON wants $ and a few more characters encoded, although RFC 3986 allows "#/$defs/a".
    rapidjson::StringBuffer fragment;
    target.StringifyUriFragment(fragment);
    copy.SetString(fragment.GetString(), static_cast<rapidjson::SizeType>(fragment.GetSize()),
                   allocator());
    return {};
  }

  // Runs last: only when all schemas are known can each reference be checked.
  Status resolve_refs() {
    for (const Ref& ref : refs_) {
      if (!graph_.has(ref.to)) {
        return refuse(child(ref.from, "$ref"), "there is no schema at " + ref.to);
      }
      graph_.add_edge(ref.from, Edge::kRef, ref.to);
    }
    return {};
  }

  static Status check_siblings(const Value& kept, const std::string& pointer) {
    if (kept.HasMember("$ref")) {
      for (const auto& member : kept.GetObject()) {
        const KeywordShape shape = find_schema_keyword(view(member.name)).shape;
        if (shape == KeywordShape::kRef || shape == KeywordShape::kDefinitions) continue;
        return refuse(pointer, std::string(view(member.name)) +
                                   " is not enforced beside $ref: write allOf with the two");
      }
    }
    for (const auto& [limit, exclusive] :
         {std::pair{"minimum", "exclusiveMinimum"}, std::pair{"maximum", "exclusiveMaximum"}}) {
      if (kept.HasMember(exclusive) && !kept.HasMember(limit)) {
        return refuse(pointer, std::string(exclusive) + " needs " + limit + " beside it");
      }
    }
    return {};
  }

  rapidjson::Document::AllocatorType& allocator() { return out_.assertions.GetAllocator(); }

  CheckedSchema& out_;
  SchemaGraph graph_;
  std::vector<Ref> refs_;
};

}  // namespace

Result<CheckedSchema> check_schema(const Value& schema) {
  CheckedSchema out;
  if (Status s = SchemaChecker(out).run(schema); !s.ok()) return s;
  return out;
}

}  // namespace bentohost
