#include "mount/parse.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "mount/app_name.h"
#include "mount/options.h"
#include "mount/words.h"

namespace bentohost::mount {
namespace {

constexpr std::array kKinds = {AppKind::kAsgi, AppKind::kWsgi, AppKind::kWsgiGunicorn,
                               AppKind::kHttp};

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

std::string_view view(const rapidjson::Value& text) {
  return {text.GetString(), text.GetStringLength()};
}

std::optional<AppKind> kind_of(std::string_view name) {
  for (const AppKind kind : kKinds) {
    if (name_of(kind) == name) return kind;
  }
  return std::nullopt;
}

// An object's text member, which it has to have.
Result<std::string> text_of(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  if (member == object.MemberEnd()) return invalid(std::string("it has no ") + name);
  if (!member->value.IsString()) return invalid(std::string("its ") + name + " is not a text");
  return std::string(view(member->value));
}

Status check_command(const std::vector<std::string>& command) {
  if (command.empty() || command[0].empty()) {
    return invalid("its command is empty; expected a program and its arguments");
  }
  for (const std::string& word : command) {
    if (word.find('\0') != word.npos) return invalid("its command has a NUL in it");
  }
  return {};
}

Status read_command(const rapidjson::Value& object, AppSpec& app) {
  const auto member = object.FindMember("command");
  if (member == object.MemberEnd() || !member->value.IsArray()) {
    return invalid("an app of kind http needs a command: an array of texts");
  }
  for (const auto& word : member->value.GetArray()) {
    if (!word.IsString()) return invalid("its command is not an array of texts");
    app.command.emplace_back(view(word));
  }
  return check_command(app.command);
}

Status read_app(const rapidjson::Value& object, AppSpec& app) {
  auto name = text_of(object, "app");
  if (!name.ok()) return std::move(name).take_status();
  app.app = *std::move(name);
  return check_app_name(app.kind, app.app);
}

// "/" for "".
std::string shown(const Mount& mount) { return mount.prefix.empty() ? "/" : mount.prefix; }

// PREFIX of a setting whose prefix no mount has.
std::string_view unknown_prefix(std::string_view name) {
  const std::size_t environment = name.find(".env.");
  return name.substr(0, environment != name.npos ? environment : name.rfind('.'));
}

}  // namespace

bool is_app_kind(std::string_view name) { return kind_of(name).has_value(); }

std::string app_kinds() {
  std::string names;
  for (const AppKind kind : kKinds) {
    names.append(names.empty() ? "" : kind == kKinds.back() ? " and " : ", ").append(name_of(kind));
  }
  return names;
}

Result<AppSpec> parse_app(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto kind = kind_of(text.substr(0, colon));
  if (!kind || colon == text.size()) {
    return invalid("\"" + std::string(text) + "\" is not an app; expected KIND:APP, such as " +
                   "asgi:web:app, wsgi:web:create_app() or http:node server.js. KIND is one of " +
                   app_kinds());
  }
  AppSpec app;
  app.kind = *kind;
  const std::string_view rest = text.substr(colon + 1);
  if (app.kind != AppKind::kHttp) {
    app.app = rest;
    if (Status status = check_app_name(app.kind, rest); !status.ok()) return status;
    return app;
  }
  auto words = split_words(rest);
  if (!words.ok()) return std::move(words).take_status().prefixed("its command: ");
  app.command = *std::move(words);
  if (Status status = check_command(app.command); !status.ok()) return status;
  return app;
}

Result<AppSpec> parse_app_json(const rapidjson::Value& object) {
  if (!object.IsObject()) return invalid("it is not a JSON object");
  auto name = text_of(object, "kind");
  if (!name.ok()) return std::move(name).take_status();
  const auto kind = kind_of(*name);
  if (!kind) return invalid("\"" + *name + "\" is no kind of app; expected " + app_kinds());
  AppSpec app;
  app.kind = *kind;
  const bool is_command = app.kind == AppKind::kHttp;
  Status status = is_command ? read_command(object, app) : read_app(object, app);
  if (!status.ok()) return status;
  for (const auto& member : object.GetObject()) {
    const std::string_view option = view(member.name);
    if (option == "kind" || option == (is_command ? "command" : "app")) continue;
    if (option == "app" || option == "command") {
      return invalid("an app of kind " + *name + " has a" + (is_command ? " command" : "n app") +
                     ", not a" + (is_command ? "n app" : " command"));
    }
    status = set_option(app, option, member.value);
    if (!status.ok()) return status;
  }
  return app;
}

Status apply_setting(std::vector<Mount>& mounts, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  const std::string_view name = setting.substr(0, equals);
  if (equals == setting.npos || !name.starts_with('/') || name.find('.') == name.npos) {
    return invalid("expected PREFIX.OPTION=VALUE, such as /old.threads=8 or /old.env.DEBUG=1");
  }
  Mount* meant = nullptr;
  for (Mount& mount : mounts) {
    if (!name.starts_with(shown(mount) + ".")) continue;
    if (meant == nullptr || mount.prefix.size() > meant->prefix.size()) meant = &mount;
  }
  if (meant == nullptr) {
    std::string known;
    for (const Mount& mount : mounts) known += (known.empty() ? "" : ", ") + shown(mount);
    return invalid("there is no --mount at " + std::string(unknown_prefix(name)) +
                   (known.empty() ? "; there are none" : "; they are at " + known));
  }
  return set_option(meant->app, name.substr(shown(*meant).size() + 1), setting.substr(equals + 1));
}

void resolve_paths(AppSpec& app, std::string_view base) {
  const auto below = [](std::string_view folder, const std::string& path) {
    return path.starts_with('/') ? path : std::string(folder) + "/" + path;
  };
  app.folder = app.folder.empty() ? std::string(base) : below(base, app.folder);
  const bool is_path = app.interpreter.find('/') != std::string::npos;
  if (is_path) app.interpreter = below(app.folder, app.interpreter);
}

}  // namespace bentohost::mount
