#include <rapidjson/pointer.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>

#include <vector>

#include "base/mutex.h"
#include "json/json.h"
#include "json/json_schema_check.h"
#include "json/json_schema_words.h"

namespace bentohost {
namespace {

using rapidjson::SchemaDocument;
using rapidjson::SizeType;
using rapidjson::Value;

constexpr std::size_t kMaxPointerBytes = 256;  // of names from the client, in one message

Status unprocessable(std::string message) {
  return Status::with_http(422, BENTO_INVALID_ARGUMENT, std::move(message));
}

std::string printed(const rapidjson::Pointer& pointer) {
  rapidjson::StringBuffer buffer;
  pointer.Stringify(buffer);
  std::string text(buffer.GetString(), buffer.GetSize());
  if (text.empty()) return "the document";
  if (text.size() <= kMaxPointerBytes) return text;
  std::size_t start = text.size() - kMaxPointerBytes;  // the end says which member
  while (start < text.size() && (text[start] & 0xC0) == 0x80) ++start;
  return "..." + text.substr(start);
}

// Stops at input that the validator must not see.
struct Screen : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Screen> {
  bool no_nul = false;        // its expressions end at the first NUL
  bool short_arrays = false;  // uniqueItems compares all pairs
  std::string_view found;

  bool String(const char* s, SizeType n, bool) {
    if (!no_nul || std::string_view(s, n).find('\0') == std::string_view::npos) return true;
    found = "the document: must not hold U+0000 (keyword pattern)";
    return false;
  }
  bool Key(const char* s, SizeType n, bool copy) { return String(s, n, copy); }
  bool EndArray(SizeType n) {
    if (!short_arrays || n <= JsonSchema::kMaxUniqueItems) return true;
    found = "the document: must not have arrays of more than 4096 elements (keyword uniqueItems)";
    return false;
  }
};
static_assert(JsonSchema::kMaxUniqueItems == 4096);  // Screen's message says so

}  // namespace

struct JsonSchema::Impl {
  rapidjson::Document source;
  CheckedSchema checked;
  std::unique_ptr<SchemaDocument> shared;  // null if not safe for many threads

  // RapidJSON's expressions contain their working state, so a schema with a pattern is compiled
  // once for each thread that validates at the same time.
  mutable Mutex mutex;
  mutable std::vector<std::unique_ptr<SchemaDocument>> idle BENTO_GUARDED_BY(mutex);

  std::unique_ptr<SchemaDocument> borrow() const {
    {
      const MutexLock lock(mutex);
      if (!idle.empty()) {
        std::unique_ptr<SchemaDocument> schema = std::move(idle.back());
        idle.pop_back();
        return schema;
      }
    }
    return std::make_unique<SchemaDocument>(checked.assertions);
  }
  void give_back(std::unique_ptr<SchemaDocument> schema) const {
    const MutexLock lock(mutex);
    idle.push_back(std::move(schema));
  }

  Status validate_with(const SchemaDocument& schema, const Value& value) const;
};

Result<JsonSchema> JsonSchema::compile(std::string_view text) {
  Result<rapidjson::Document> source = parse_json(text);
  if (!source.ok()) return std::move(source).take_status().prefixed("schema: ");
  Result<CheckedSchema> checked = check_schema(*source);
  if (!checked.ok()) return std::move(checked).take_status();

  auto impl = std::make_shared<Impl>();
  impl->source = *std::move(source);
  impl->checked = *std::move(checked);
  auto compiled = std::make_unique<SchemaDocument>(impl->checked.assertions);
  if (impl->checked.uses_pattern) {
    impl->give_back(std::move(compiled));
  } else {
    impl->shared = std::move(compiled);
  }
  return JsonSchema(std::move(impl));
}

Status JsonSchema::validate(const Value& value) const {
  if (impl_->checked.uses_pattern || impl_->checked.uses_unique_items) {
    Screen screen;
    screen.no_nul = impl_->checked.uses_pattern;
    screen.short_arrays = impl_->checked.uses_unique_items;
    if (!value.Accept(screen)) return unprocessable(std::string(screen.found));
  }
  if (impl_->shared) return impl_->validate_with(*impl_->shared, value);
  std::unique_ptr<SchemaDocument> mine = impl_->borrow();
  Status status = impl_->validate_with(*mine, value);
  impl_->give_back(std::move(mine));
  return status;
}

Status JsonSchema::Impl::validate_with(const SchemaDocument& schema, const Value& value) const {
  rapidjson::SchemaValidator validator(schema);
  value.Accept(validator);
  if (validator.IsValid()) return {};
  const rapidjson::Pointer where = validator.GetInvalidDocumentPointer();
  const char* keyword = validator.GetInvalidSchemaKeyword();
  const Value* broken = validator.GetInvalidSchemaPointer().Get(checked.assertions);
  std::string message = printed(where) + ": ";
  if (keyword == nullptr || broken == nullptr || !broken->IsObject()) {
    return unprocessable(message + "does not match the schema");
  }
  message += schema_demand(*broken, keyword, where.Get(value));
  return unprocessable(message + " (keyword " + keyword + ")");
}

void JsonSchema::fill_defaults(rapidjson::Document& object) const {
  if (!object.IsObject()) return;
  rapidjson::Pointer root;
  for (const Value* schema = &impl_->checked.assertions;;) {
    const auto ref = schema->FindMember("$ref");
    if (ref == schema->MemberEnd()) break;
    root = rapidjson::Pointer(ref->value.GetString(), ref->value.GetStringLength());
    schema = root.Get(impl_->checked.assertions);
  }
  const Value* schema = root.Get(impl_->source);
  const auto properties = schema->FindMember("properties");
  if (properties == schema->MemberEnd()) return;
  for (const auto& property : properties->value.GetObject()) {
    const auto fallback = property.value.FindMember("default");
    if (fallback == property.value.MemberEnd() || object.HasMember(property.name)) continue;
    object.AddMember(Value(property.name, object.GetAllocator()),
                     Value(fallback->value, object.GetAllocator()), object.GetAllocator());
  }
}

const Value& JsonSchema::document() const { return impl_->source; }

}  // namespace bentohost
