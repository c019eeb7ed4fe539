#include "codec/stream_text.h"

#include <utility>

#include "codec/codec.h"
#include "codec/members.h"
#include "json/json.h"

namespace bentohost::service {
namespace {

// `json` is valid: white space outside of strings is all that may go.
std::string compact(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool is_in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (is_in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      if (c == '"') is_in_string = false;
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      out += c;
      is_in_string = c == '"';
    }
  }
  return out;
}

}  // namespace

std::string_view stream_type(std::uint32_t stream) {
  return stream == BENTO_AS_EVENTS ? "text/event-stream" : "application/x-ndjson";
}

// A line of an event ends with LF, CR or both (WHATWG HTML 9.2.6); a reader joins them with LF.
void append_event(std::string& out, std::string_view data, std::string_view type) {
  if (!type.empty()) out.append("event: ").append(type).append("\n");
  for (;;) {
    const std::size_t end = data.find_first_of("\r\n");
    out.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    const bool is_pair = data.substr(end, 2) == "\r\n";
    data.remove_prefix(end + (is_pair ? 2 : 1));
  }
  out += '\n';
}

Status append_result(std::string& out, std::span<const bento_value> values,
                     const std::vector<plugin::IoSpec>& specs, std::string_view who,
                     bool is_checked, std::uint32_t stream) {
  const bool is_named = plugin::are_named(specs);
  auto response = is_named ? encode_members(values, specs, who, is_checked)
                           : encode(values, specs.front(), who, is_checked);
  if (!response.ok()) return std::move(response).take_status();
  std::string text = std::move(response->body);
  if (is_named || specs.front().kind == BENTO_JSON) text = compact(text);
  if (stream == BENTO_AS_EVENTS) {
    append_event(out, text);
    return {};
  }
  if (!is_named && specs.front().kind == BENTO_BYTES) {
    text = write_json(rapidjson::Value(rapidjson::StringRef(text.data(), text.size())));
  }
  out.append(text).append("\n");
  return {};
}

}  // namespace bentohost::service
