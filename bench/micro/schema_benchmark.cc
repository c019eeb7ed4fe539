// What a JSON Schema costs a request: ours beside RapidJSON's validator alone, which is inside, and
// beside the parser. The difference between the two validators is what the messages and the guards
// against hostile values cost.
#include <benchmark/benchmark.h>
#include <rapidjson/schema.h>

#include <string>
#include <string_view>

#include "json/json.h"

namespace bentohost {
namespace {

constexpr std::string_view kFlower = R"({
  "type": "object", "required": ["sepal_len", "sepal_width", "petal_len", "petal_width"],
  "properties": {
    "sepal_len": {"type": "number", "minimum": 0}, "sepal_width": {"type": "number", "minimum": 0},
    "petal_len": {"type": "number", "minimum": 0}, "petal_width": {"type": "number", "minimum": 0}}
})";
constexpr std::string_view kGoodFlower =
    R"({"sepal_len": 4.9, "sepal_width": 3.0, "petal_len": 1.4, "petal_width": 0.2})";
constexpr std::string_view kBadFlower =
    R"({"sepal_len": 4.9, "sepal_width": 3.0, "petal_len": -1.4, "petal_width": 0.2})";

// 30 fields in four objects, two of them by $ref.
constexpr std::string_view kOrder = R"({
  "type": "object", "required": ["id", "customer", "lines", "currency"],
  "additionalProperties": false,
  "properties": {
    "id": {"type": "string", "minLength": 4, "maxLength": 40},
    "currency": {"enum": ["EUR", "USD", "GBP"]},
    "priority": {"type": "integer", "minimum": 0, "maximum": 9},
    "note": {"type": ["string", "null"], "maxLength": 500}, "express": {"type": "boolean"},
    "tags": {"type": "array", "maxItems": 10, "items": {"type": "string"}},
    "customer": {"$ref": "#/definitions/customer"},
    "lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/line"}}},
  "definitions": {
    "customer": {
      "type": "object", "required": ["name", "email", "address"],
      "properties": {
        "name": {"type": "string"}, "email": {"type": "string", "maxLength": 200},
        "phone": {"type": "string"}, "age": {"type": "integer", "minimum": 0},
        "vip": {"type": "boolean"}, "score": {"type": "number"},
        "address": {
          "type": "object", "required": ["street", "city"],
          "properties": {
            "street": {"type": "string"}, "number": {"type": "string"},
            "zip": {"type": "string", "maxLength": 12}, "city": {"type": "string"},
            "state": {"type": "string"},
            "country": {"type": "string", "minLength": 2, "maxLength": 2},
            "lat": {"type": "number", "minimum": -90, "maximum": 90},
            "lon": {"type": "number", "minimum": -180, "maximum": 180}}}}},
    "line": {
      "type": "object", "required": ["sku", "count", "price"],
      "properties": {
        "sku": {"type": "string"}, "title": {"type": "string"},
        "count": {"type": "integer", "minimum": 1}, "price": {"type": "number", "minimum": 0},
        "tax": {"type": "number"}, "weight": {"type": "number"}, "colour": {"type": "string"},
        "gift": {"type": "boolean"}}}}
})";

std::string order_of(int lines) {
  std::string text = R"({"id": "ord-1", "currency": "EUR", "priority": 1, "note": null,
    "express": true, "tags": ["a", "b"], "customer": {"name": "N. N.", "email": "n@example.com",
    "phone": "1", "age": 40, "vip": false, "score": 0.5, "address": {"street": "S", "number": "1",
    "zip": "12345", "city": "C", "state": "ST", "country": "DE", "lat": 1.5, "lon": 2.5}},
    "lines": [)";
  for (int i = 0; i < lines; ++i) {
    if (i > 0) text += ", ";
    text += R"({"sku": "A-1001", "title": "An article", "count": 2, "price": 12.5, "tax": 2.0,
      "weight": 0.3, "colour": "red", "gift": false})";
  }
  return text + "]}";
}

constexpr std::string_view kName =
    R"({"properties": {"id": {"type": "string", "pattern": "^[a-z]{2,8}-[0-9]{1,10}$"}}})";

void parse(benchmark::State& state, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_json(text));
}

void validate(benchmark::State& state, std::string_view schema, std::string_view text, bool good) {
  const auto compiled = JsonSchema::compile(schema);
  const auto value = parse_json(text);
  if (!compiled.ok() || !value.ok() || compiled->validate(*value).ok() != good) {
    state.SkipWithError("the value is judged otherwise than this benchmark is about");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(compiled->validate(*value));
}

void validate_by_rapidjson(benchmark::State& state, std::string_view schema,
                           std::string_view text) {
  const auto source = parse_json(schema);
  const auto value = parse_json(text);
  const rapidjson::SchemaDocument compiled(*source);
  for (auto _ : state) {
    rapidjson::SchemaValidator validator(compiled);
    benchmark::DoNotOptimize(value->Accept(validator));
  }
}

BENCHMARK_CAPTURE(parse, flower, std::string(kGoodFlower));
BENCHMARK_CAPTURE(validate, flower, kFlower, kGoodFlower, true);
BENCHMARK_CAPTURE(validate_by_rapidjson, flower, kFlower, kGoodFlower);
BENCHMARK_CAPTURE(validate, a_negative_length, kFlower, kBadFlower, false);
BENCHMARK_CAPTURE(parse, order_of_10_lines, order_of(10));
BENCHMARK_CAPTURE(validate, order_of_10_lines, kOrder, order_of(10), true);
BENCHMARK_CAPTURE(validate_by_rapidjson, order_of_10_lines, kOrder, order_of(10));
BENCHMARK_CAPTURE(validate, pattern, kName, R"({"id": "order-1234567"})", true);

// A regular expression on which a backtracking matcher needs time exponential in the text's length.
void BM_PatternOfNestedRepeats(benchmark::State& state) {
  const auto length = static_cast<std::size_t>(state.range(0));
  validate(state, R"({"pattern": "^(a+)+$"})", '"' + std::string(length, 'a') + "!\"", false);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_PatternOfNestedRepeats)->RangeMultiplier(8)->Range(32, 1 << 14)->Complexity();

}  // namespace
}  // namespace bentohost
