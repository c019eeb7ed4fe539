#include "plugin/mount_description.h"

#include <algorithm>
#include <utility>

#include "http/route/route_template.h"
#include "json/json.h"
#include "mount/parse.h"
#include "plugin/check_struct.h"

namespace bentohost::plugin {
namespace {

std::string_view view(const rapidjson::Value& text) {
  return {text.GetString(), text.GetStringLength()};
}

bool is_text_option(std::string_view name, std::string_view options_schema) {
  const auto schema = parse_json(options_schema);
  if (!schema.ok() || !schema->IsObject()) return false;
  const auto properties = schema->FindMember("properties");
  if (properties == schema->MemberEnd() || !properties->value.IsObject()) return false;
  for (const auto& option : properties->value.GetObject()) {
    if (view(option.name) != name || !option.value.IsObject()) continue;
    const auto type = option.value.FindMember("type");
    return type != option.value.MemberEnd() && type->value.IsString() &&
           view(type->value) == "string";
  }
  return false;
}

// False for text that would break the header or the response.
bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

Status describe_files(const rapidjson::Value& process, MountSpec& spec) {
  for (const auto& member : process.GetObject()) {
    const std::string_view name = view(member.name);
    std::string* field = name == "folder"          ? &spec.folder
                         : name == "folder_option" ? &spec.folder_option
                         : name == "cache_control" ? &spec.cache_control
                                                   : nullptr;
    if (name == "kind") continue;
    if (field == nullptr) return refuse("files have no \"" + std::string(name) + "\"");
    if (!member.value.IsString()) return refuse("its " + std::string(name) + " is not a string");
    *field = view(member.value);
  }
  if (spec.folder.empty() == spec.folder_option.empty()) {
    return refuse("files need either a folder or a folder_option, not both");
  }
  if (spec.folder.find('\0') != std::string::npos) return refuse("its folder has a NUL in it");
  if (!is_header_value(spec.cache_control)) {
    return refuse("its cache_control is not valid in a header");
  }
  return {};
}

Status describe_process(const bento_mount& mount, std::string_view options_schema,
                        MountSpec& spec) {
  const auto process = parse_json(to_view(mount.process));
  if (!process.ok()) return refuse("its process: " + process.status().message());
  if (!process->IsObject()) return refuse("its process is not a JSON object");
  const auto kind = process->FindMember("kind");
  if (kind == process->MemberEnd() || !kind->value.IsString()) {
    return refuse("its process has no kind");
  }
  if (mount::is_app_kind(view(kind->value))) {
    auto program = mount::parse_app_json(*process);
    if (!program.ok()) return refuse(program.status().message());
    spec.program = *std::move(program);
    return {};
  }
  if (view(kind->value) != "files") {
    return refuse("is of kind \"" + std::string(view(kind->value)) +
                  "\"; this bentohost serves mounts of kind files, " + mount::app_kinds());
  }
  if (Status status = describe_files(*process, spec); !status.ok()) return status;
  if (!spec.folder_option.empty() && !is_text_option(spec.folder_option, options_schema)) {
    return refuse("the service has no option " + spec.folder_option + " of type string");
  }
  return {};
}

}  // namespace

Result<MountSpec> describe_mount(const bento_mount* mount, std::string_view options_schema) {
  if (Status status = check_size(mount, "bento_mount"); !status.ok()) return status;
  MountSpec spec;
  spec.prefix = http::with_leading_slash(to_view(mount->prefix));
  const std::string what = "mount " + spec.prefix + ": ";
  if (Status status = http::check_prefix(spec.prefix); !status.ok()) {
    return refuse(what + status.message());
  }
  if (spec.prefix.size() > 1 && spec.prefix.ends_with('/')) spec.prefix.pop_back();
  if (is_reserved(std::string_view(spec.prefix).substr(1))) {
    return refuse(what + "its name is reserved; give it another");
  }
  spec.app = mount->app;
  if (BENTO_HAS(mount, call_async)) spec.call_async = mount->call_async;
  if (BENTO_HAS(mount, takes_async)) spec.takes_async = mount->takes_async;
  if (spec.is_app()) {
    if (mount->process.len != 0)
      return refuse(what + "must be either an app or a process, not both");
    const bool chooses = spec.app.call != nullptr && spec.call_async != nullptr;
    if (chooses != (spec.takes_async != nullptr)) {
      return refuse(what + "takes_async goes with app.call and call_async, and both need it");
    }
    return spec;
  }
  if (Status status = describe_process(*mount, options_schema, spec); !status.ok()) {
    return std::move(status).prefixed(what);
  }
  return spec;
}

}  // namespace bentohost::plugin
