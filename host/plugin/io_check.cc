#include "plugin/io_check.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "json/json.h"
#include "wire/value.h"

namespace bentohost::plugin {
namespace {

struct Difference {
  std::string declared, got;
};

std::string kind_name(std::uint32_t kind) {
  return kind == 0              ? "nothing"
         : kind == BENTO_TENSOR ? "a tensor"
         : kind == BENTO_JSON   ? "JSON"
                                : "bytes";
}

// The first of kind, dtype and shape in which the two differ.
std::optional<Difference> difference(const bento_value& value, const IoSpec& spec) {
  if (value.kind != spec.kind) return Difference{kind_name(spec.kind), kind_name(value.kind)};
  if (value.kind != BENTO_TENSOR) return std::nullopt;
  if (spec.dtype != 0 && value.tensor.dtype != spec.dtype) {
    return Difference{std::string(wire::dtype_name(spec.dtype)),
                      std::string(wire::dtype_name(value.tensor.dtype))};
  }
  if (spec.any_shape) return std::nullopt;
  const auto shape = wire::shape_of(value.tensor);
  bool is_same = shape.size() == spec.shape.size();
  for (std::size_t i = 0; is_same && i < shape.size(); ++i) {
    is_same = spec.shape[i] < 0 || spec.shape[i] == shape[i];
  }
  if (is_same) return std::nullopt;
  return Difference{"shape " + wire::shape_text(spec.shape), wire::shape_text(shape)};
}

Status wrong(std::string_view who, const std::string& got, const std::string& declared) {
  return Status(BENTO_INTERNAL,
                std::string(who) + " returned " + got + ", but declares " + declared);
}

Status check_json_output(std::string_view json, const IoSpec& spec, std::string_view who) {
  Status status;
  if (!spec.schema) {
    status = check_json(json);
  } else if (auto document = parse_json(json); !document.ok()) {
    status = std::move(document).take_status();
  } else if (status = spec.schema->validate(*document); !status.ok()) {
    return Status(BENTO_INTERNAL, std::string(who) + " returned JSON that violates its schema: " +
                                      status.message());
  }
  if (status.ok()) return {};
  return Status(BENTO_INTERNAL, std::string(who) + " returned invalid JSON: " + status.message());
}

Status check_bytes_output(const bento_value& value, std::string_view bytes, const IoSpec& spec,
                          std::string_view who) {
  const std::string type = media_type(to_view(value.mime));
  if (spec.descriptor == "text") {
    if (!type.empty() && type != "text/plain") return wrong(who, type, "text/plain");
    if (is_utf8(bytes)) return {};
    return wrong(who, "text that is not UTF-8", "text");
  }
  if (type.empty() && !is_media_pattern(spec.mime)) return {};  // the declared type is meant
  if (fits_media_type(spec.mime, type)) return {};
  return wrong(who, type.empty() ? "bytes without a media type" : type, spec.mime);
}

}  // namespace

std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

bool is_media_pattern(std::string_view declared) {
  return declared.find('*') != std::string_view::npos;
}

bool fits_media_type(std::string_view declared, std::string_view type) {
  const std::string pattern = media_type(declared), given = media_type(type);
  if (pattern.empty() || pattern == given || pattern == "*/*") {
    return pattern != "*/*" || !given.empty();
  }
  if (!pattern.ends_with("/*")) return false;
  const std::size_t family = pattern.size() - 1;  // "image/"
  return given.size() > family && given.compare(0, family, pattern, 0, family) == 0;
}

Status check_input(const bento_value& value, const IoSpec& spec, std::string_view who) {
  const auto found = difference(value, spec);
  if (!found) return {};
  return Status(BENTO_INVALID_ARGUMENT,
                std::string(who) + " takes " + found->declared + ", got " + found->got);
}

Status check_output(const bento_value& value, const IoSpec& spec, std::string_view who) {
  if (const auto found = difference(value, spec)) {
    const bool is_shape = found->declared.starts_with("shape ");
    return wrong(who, (is_shape ? "shape " : "") + found->got, found->declared);
  }
  if (value.kind == BENTO_TENSOR) return {};
  const std::string_view bytes(static_cast<const char*>(value.bytes.ptr), value.bytes.len);
  return value.kind == BENTO_JSON ? check_json_output(bytes, spec, who)
                                  : check_bytes_output(value, bytes, spec, who);
}

Status check_outputs(std::span<const bento_value> values, std::span<const IoSpec> specs,
                     std::string_view who) {
  if (values.empty()) return Status(BENTO_INTERNAL, std::string(who) + " returned nothing");
  const bool is_named = !specs.front().name.empty();
  if (is_named && values.size() != specs.size()) {
    std::string names;
    for (const IoSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
    return Status(BENTO_INTERNAL, std::string(who) + " returned " + std::to_string(values.size()) +
                                      " values, but declares " + std::to_string(specs.size()) +
                                      ": " + names);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const IoSpec& spec = is_named ? specs[i] : specs.front();
    Status status = check_output(values[i], spec, who);
    if (status.ok()) continue;
    return is_named ? std::move(status).prefixed("output " + spec.name + ": ") : status;
  }
  return {};
}

}  // namespace bentohost::plugin
