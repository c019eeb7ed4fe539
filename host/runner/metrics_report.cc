#include "runner/metrics_report.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "json/json.h"

namespace bentohost::runner {
namespace {

using observe::MetricDefinition;
using observe::MetricKind;
using observe::SeriesChange;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::size_t kMostBytes = 256u << 10;
// What a worker that keeps to it may send is less: one series is added to kMostBytes.
constexpr std::size_t kMostAccepted = 1u << 20;

template <typename Values, typename Write>
void write_array(Writer& json, const char* key, const Values& values, Write write) {
  json.Key(key);
  json.StartArray();
  for (const auto& value : values) write(value);
  json.EndArray();
}

void write_series(Writer& json, const MetricDefinition& definition,
                  std::span<const std::string> values, const SeriesChange& change) {
  const auto write_text = [&json](const std::string& text) { json.String(text); };
  json.StartObject();
  json.Key("kind");
  json.Uint(static_cast<unsigned>(definition.kind));
  json.Key("name");
  json.String(definition.name);
  json.Key("help");
  json.String(definition.help);
  write_array(json, "labels", definition.labels, write_text);
  write_array(json, "bounds", definition.bounds, [&json](double bound) { json.Double(bound); });
  write_array(json, "values", values, write_text);
  json.Key("value");
  json.Double(change.value);
  write_array(json, "counts", change.counts, [&json](std::uint64_t n) { json.Uint64(n); });
  json.EndObject();
}

// ---- reading: a member that is not there, or of another type, makes the report malformed --------

const rapidjson::Value* find(const rapidjson::Value& object, const char* key) {
  const auto member = object.FindMember(key);
  return member == object.MemberEnd() ? nullptr : &member->value;
}

bool read(const rapidjson::Value& value, std::string& out) {
  if (!value.IsString()) return false;
  out.assign(value.GetString(), value.GetStringLength());
  return true;
}

bool read(const rapidjson::Value& value, double& out) {
  if (!value.IsNumber()) return false;
  out = value.GetDouble();
  return std::isfinite(out);
}

bool read(const rapidjson::Value& value, std::uint64_t& out) {
  if (!value.IsUint64()) return false;
  out = value.GetUint64();
  return true;
}

template <typename T>
bool read(const rapidjson::Value& value, std::vector<T>& out) {
  if (!value.IsArray()) return false;
  for (const rapidjson::Value& element : value.GetArray()) {
    if (!read(element, out.emplace_back())) return false;
  }
  return true;
}

template <typename T>
bool read_member(const rapidjson::Value& object, const char* key, T& out) {
  const rapidjson::Value* value = find(object, key);
  return value != nullptr && read(*value, out);
}

struct Series {
  MetricDefinition definition;
  std::vector<std::string> values;
  SeriesChange change;
};

bool read_series(const rapidjson::Value& value, Series& out) {
  if (!value.IsObject()) return false;
  std::uint64_t kind = 0;
  if (!read_member(value, "kind", kind) || kind < 1 || kind > 3) return false;
  out.definition.kind = static_cast<MetricKind>(kind);
  return read_member(value, "name", out.definition.name) &&
         read_member(value, "help", out.definition.help) &&
         read_member(value, "labels", out.definition.labels) &&
         read_member(value, "bounds", out.definition.bounds) &&
         read_member(value, "values", out.values) &&
         read_member(value, "value", out.change.value) &&
         read_member(value, "counts", out.change.counts);
}

Status apply(Series series, const ReportSource& source, observe::CustomMetrics& metrics) {
  const bool is_gauge = series.definition.kind == MetricKind::kGauge;
  observe::MetricScope scope{source.service, source.runner, {}};
  if (is_gauge) scope.worker = std::to_string(source.worker);
  auto metric = metrics.define(scope, std::move(series.definition));
  if (!metric.ok()) return std::move(metric).take_status();
  if (is_gauge) metrics.set_source(**metric, source.process);
  const std::vector<std::string_view> values(series.values.begin(), series.values.end());
  auto found = (*metric)->series(values);
  if (!found.ok()) return std::move(found).take_status();
  (*found)->merge(series.change);
  return {};
}

}  // namespace

std::string take_report(observe::CustomMetrics& metrics) {
  rapidjson::StringBuffer text;
  Writer json(text);
  json.StartArray();
  metrics.take_changes([&](const MetricDefinition& definition, std::span<const std::string> values,
                           const SeriesChange& change) {
    write_series(json, definition, values, change);
    return text.GetSize() < kMostBytes;
  });
  json.EndArray();
  return {text.GetString(), text.GetSize()};
}

Status apply_report(std::string_view report, const ReportSource& source,
                    observe::CustomMetrics& metrics) {
  if (report.size() > kMostAccepted) {
    return Status(BENTO_INVALID_ARGUMENT, "the report is too long");
  }
  auto document = parse_json(report);
  if (!document.ok()) return std::move(document).take_status();
  if (!document->IsArray()) return Status(BENTO_INVALID_ARGUMENT, "the report is no array");
  Status first;
  for (const rapidjson::Value& element : document->GetArray()) {
    Series series;
    Status status = read_series(element, series)
                        ? apply(std::move(series), source, metrics)
                        : Status(BENTO_INVALID_ARGUMENT, "the report is malformed");
    if (first.ok()) first = std::move(status);
  }
  return first;
}

void forget_worker(const ReportSource& source, observe::CustomMetrics& metrics) {
  metrics.drop({source.service, source.runner, std::to_string(source.worker)}, source.process);
}

}  // namespace bentohost::runner
