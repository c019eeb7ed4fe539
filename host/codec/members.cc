#include "codec/members.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "codec/ndarray.h"
#include "json/base64.h"
#include "json/json.h"
#include "plugin/io_check.h"

namespace bentohost::service {
namespace {

using Members = std::vector<std::pair<std::string, std::string_view>>;

// RFC 6901.
std::string pointer_to(std::string_view member) {
  std::string pointer = "/";
  for (const char c : member) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

Status unprocessable(std::string_view member, const std::string& what) {
  return Status::with_http(422, BENTO_INVALID_ARGUMENT, pointer_to(member) + ": " + what);
}

// An error within the member's value: one that begins with a pointer continues it.
Status within(std::string_view member, Status status) {
  const bool is_deeper = status.message().starts_with('/');
  return std::move(status).prefixed(pointer_to(member) + (is_deeper ? "" : ": "));
}

std::string names_of(std::span<const plugin::IoSpec> ios) {
  std::string names;
  for (const plugin::IoSpec& io : ios) {
    names += (names.empty() ? "" : ", ") + io.name + (io.is_optional ? " (optional)" : "");
  }
  return names;
}

std::string_view bytes_of(const bento_value& value) {
  return {static_cast<const char*>(value.bytes.ptr), value.bytes.len};
}

// ---- requests ----------------------------------------------------------------------------------

Result<wire::Value> decode_json(std::string_view text, const plugin::IoSpec& in) {
  if (in.schema && !in.is_self_checked) {
    auto document = parse_json(text);
    if (!document.ok()) return std::move(document).take_status();
    Status status = in.schema->validate(*document);
    if (!status.ok()) return within(in.name, std::move(status));
  }
  wire::Value value;
  value.mime = "application/json";
  value.data.assign(text.begin(), text.end());
  return value;
}

Result<wire::Value> decode_string(std::string_view text, const plugin::IoSpec& in) {
  auto document = parse_json(text);
  if (!document.ok()) return std::move(document).take_status();
  const bool is_text = in.descriptor == "text";
  if (!document->IsString()) {
    return unprocessable(in.name,
                         is_text ? "must be a string" : "must be a string: its bytes as Base64");
  }
  const std::string_view string(document->GetString(), document->GetStringLength());
  wire::Value value;
  if (is_text) {
    value.mime = "text/plain";
    value.data.assign(string.begin(), string.end());
    return value;
  }
  const std::optional<std::string> bytes = base64_decode(string);
  if (!bytes) return unprocessable(in.name, "is not Base64 with padding (RFC 4648, section 4)");
  if (!plugin::is_media_pattern(in.mime)) value.mime = in.mime;
  value.data.assign(bytes->begin(), bytes->end());
  return value;
}

Result<wire::Value> decode_member(std::string_view text, const plugin::IoSpec& in) {
  if (in.is_optional && text == "null") return wire::Value();
  auto value = [&]() -> Result<wire::Value> {
    if (in.kind == BENTO_JSON) return decode_json(text, in);
    if (in.kind == BENTO_BYTES) return decode_string(text, in);
    auto array = parse_ndarray(text, {in.dtype, in.shape, in.any_shape});
    if (!array.ok()) return within(in.name, std::move(array).take_status());
    return array;
  }();
  if (value.ok()) value->kind = in.kind;
  return value;
}

// The member for each of `ins`; a null view: it is missing.
Result<std::vector<std::string_view>> texts_of(const Members& members,
                                               std::span<const plugin::IoSpec> ins) {
  std::vector<std::string_view> texts(ins.size());
  for (const auto& [name, text] : members) {
    const auto in =
        std::find_if(ins.begin(), ins.end(),
                     [&name = name](const plugin::IoSpec& spec) { return spec.name == name; });
    if (in == ins.end()) {
      return unprocessable(name, "is not an input; the inputs are " + names_of(ins));
    }
    std::string_view& known = texts[static_cast<std::size_t>(in - ins.begin())];
    if (known.data() != nullptr) return unprocessable(name, "is there twice");
    known = text;
  }
  for (std::size_t i = 0; i < ins.size(); ++i) {
    if (texts[i].data() != nullptr || ins[i].is_optional) continue;
    return unprocessable(ins[i].name, "is missing; the inputs are " + names_of(ins));
  }
  return texts;
}

// ---- responses ---------------------------------------------------------------------------------

Status write_member(const bento_value& value, const plugin::IoSpec& out, std::string& body) {
  if (value.kind == BENTO_TENSOR) return write_ndarray(value.tensor, body);
  if (value.kind == BENTO_JSON) {
    body += bytes_of(value);
  } else if (out.descriptor == "text") {
    body += quote_json(bytes_of(value));
  } else {
    body += '"';
    base64_encode(bytes_of(value), body);
    body += '"';
  }
  return {};
}

}  // namespace

Result<std::vector<wire::Value>> decode_members(std::string_view body,
                                                std::span<const plugin::IoSpec> ins) {
  auto members = json_members(body);
  if (!members.ok()) {
    return std::move(members).take_status().prefixed(
        "the body must be a JSON object with the members " + names_of(ins) + ": ");
  }
  auto texts = texts_of(*members, ins);
  if (!texts.ok()) return std::move(texts).take_status();
  std::vector<wire::Value> values;
  values.reserve(ins.size());
  for (std::size_t i = 0; i < ins.size(); ++i) {
    if ((*texts)[i].data() == nullptr) {
      values.emplace_back();
    } else {
      auto value = decode_member((*texts)[i], ins[i]);
      if (!value.ok()) return std::move(value).take_status();
      values.push_back(*std::move(value));
    }
    values.back().name = ins[i].name;
  }
  return values;
}

Result<http::Response> encode_members(std::span<const bento_value> values,
                                      std::span<const plugin::IoSpec> outs, std::string_view who,
                                      bool is_checked) {
  if (!is_checked || values.size() != outs.size()) {
    if (Status status = plugin::check_outputs(values, outs, who); !status.ok()) return status;
  }
  http::Response response;
  response.content_type = "application/json";
  std::string& body = response.body;
  for (std::size_t i = 0; i < outs.size(); ++i) {
    body += i == 0 ? '{' : ',';
    body += quote_json(outs[i].name) + ":";
    if (values[i].kind != outs[i].kind) return plugin::check_output(values[i], outs[i], who);
    if (Status status = write_member(values[i], outs[i], body); !status.ok()) {
      return std::move(status).prefixed("output " + outs[i].name + ": ");
    }
  }
  body += '}';
  return response;
}

}  // namespace bentohost::service
