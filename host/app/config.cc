#include "app/config.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "http/route/route_template.h"
#include "json/json.h"
#include "mount/parse.h"
#include "plugin/check_struct.h"
#include "plugin/description.h"

namespace bentohost::app {
namespace {

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

}  // namespace

std::size_t default_loops() { return std::clamp(std::thread::hardware_concurrency(), 1u, 8u); }

std::vector<http::Address> Config::addresses() const {
  std::vector<http::Address> all = bind;
  const bool is_asked_for = host || port;
  const bool is_needed = bind.empty() && !http::has_inherited_listeners();
  if (is_asked_for || is_needed) {
    all.insert(all.begin(), {host.value_or("127.0.0.1"), port.value_or(3000), {}});
  }
  return all;
}

Result<PluginArg> parse_plugin(std::string_view text) {
  PluginArg plugin;
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    const std::size_t slash = std::min(text.find('/'), equals);
    plugin.name = text.substr(0, slash);
    plugin.prefix = text.substr(slash, equals - slash);
    text.remove_prefix(equals + 1);
    if (!plugin.name.empty() && !plugin::is_identifier(plugin.name)) {
      return invalid("\"" + plugin.name +
                     "\" is no name for a service (letters, digits and _, not beginning with a "
                     "digit); expected [NAME][/PREFIX]=LIBRARY");
    }
    if (plugin.name.empty() && plugin.prefix.empty()) text = {};
    if (plugin.prefix.empty()) {
      if (plugin::is_reserved(plugin.name)) {
        return invalid("/" + plugin.name + " is a page of bentohost itself; give the service a " +
                       "prefix (" + plugin.name + "/PREFIX=LIBRARY) or another name");
      }
      if (!plugin.name.empty()) plugin.prefix = "/" + plugin.name;
    }
    if (plugin.prefix == "/") plugin.prefix.clear();
    if (!plugin.prefix.empty()) {
      Status status = http::check_prefix(plugin.prefix);
      if (!status.ok()) return std::move(status).prefixed("prefix: ");
      if (plugin.prefix.back() == '/') plugin.prefix.pop_back();
    }
  }
  if (text.empty())
    return invalid("expected [[NAME][/PREFIX]=]LIBRARY, such as libiris.so, /iris=libiris.so or " +
                   std::string("a=libiris.so"));
  plugin.library = text;
  return plugin;
}

Result<mount::Mount> parse_mount(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !text.starts_with('/')) {
    return invalid("expected /PREFIX=KIND:APP, such as /=asgi:fastapi_app:app or " +
                   std::string("/old=wsgi:flask_app:app"));
  }
  mount::Mount mount;
  mount.prefix = text.substr(0, equals);
  if (Status status = http::check_prefix(mount.prefix); !status.ok()) {
    return std::move(status).prefixed("prefix: ");
  }
  if (mount.prefix.ends_with('/')) mount.prefix.pop_back();
  if (mount.prefix.find("//") != std::string::npos || mount.prefix.ends_with('/')) {
    return invalid("prefix: \"" + std::string(text.substr(0, equals)) + "\" has an empty segment");
  }
  if (!mount.prefix.empty() && plugin::is_reserved(std::string_view(mount.prefix).substr(1))) {
    return invalid("prefix: " + mount.prefix + " is a page of bentohost itself; choose another");
  }
  auto app = mount::parse_app(text.substr(equals + 1));
  if (!app.ok()) return std::move(app).take_status();
  mount.app = *std::move(app);
  return mount;
}

Result<Setting> parse_setting(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.substr(0, equals).find('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0 ||
      dot + 1 == equals) {
    return invalid("expected SERVICE.OPTION=VALUE, such as iris_classifier.model=/srv/iris.svm");
  }
  return Setting{std::string(text.substr(0, dot)),
                 std::string(text.substr(dot + 1, equals - dot - 1)),
                 std::string(text.substr(equals + 1))};
}

Result<UseArg> parse_use(std::string_view text, std::vector<Setting>& settings) {
  constexpr const char* kExpected =
      "expected [SERVICE:]NAME[=OPTIONS], such as 'trusted_host={\"allowed_hosts\":[\"a.org\"]}'";
  UseArg use;
  const std::size_t equals = std::min(text.find('='), text.size());
  std::string_view name = text.substr(0, equals);
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    use.service = name.substr(0, colon);
    name.remove_prefix(colon + 1);
    if (use.service.empty()) return invalid(kExpected);
  }
  use.name = name;
  if (use.name.empty() || use.name.find_first_of("/.") != std::string::npos) {
    return invalid(kExpected);
  }
  if (equals == text.size()) return use;
  const auto options = json_members(text.substr(equals + 1));
  if (!options.ok()) return invalid("its options: " + options.status().message());
  for (const auto& [option, value] : *options) {
    settings.push_back({use.name, option, std::string(value)});
  }
  return use;
}

Status check_runner_names(const std::map<std::string, std::uint32_t>& names,
                          const std::vector<std::string>& runners) {
  const auto list = [](const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& one : all) text += (text.empty() ? "" : ", ") + one;
    return text;
  };
  for (const auto& [name, workers] : names) {
    std::vector<std::string> meant;
    for (const std::string& runner : runners) {
      if (runner == name || runner.ends_with("." + name)) meant.push_back(runner);
    }
    if (meant.size() == 1) continue;
    const std::string what = "--runner-workers " + name + "=" + std::to_string(workers) + ": ";
    if (meant.size() > 1) {
      return invalid(what + "several services have such a runner; say which: " + list(meant));
    }
    return invalid(what + "there is no such runner; " +
                   (runners.empty() ? "there are none" : "here is " + list(runners)));
  }
  return {};
}

std::string settings_json(const std::vector<Setting>& settings, std::string_view service) {
  const auto quoted = [](const std::string& text) {
    return write_json(rapidjson::Value(rapidjson::StringRef(text.data(), text.size())));
  };
  std::string object = "{";
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const Setting& setting = settings[i];
    const auto is_overridden = [&](const Setting& later) {  // the last one wins
      return later.service == service && later.option == setting.option;
    };
    if (setting.service != service ||
        std::any_of(settings.begin() + static_cast<std::ptrdiff_t>(i) + 1, settings.end(),
                    is_overridden)) {
      continue;
    }
    if (object.size() > 1) object.push_back(',');
    object.append(quoted(setting.option)).push_back(':');
    // As it was typed, so that errors can quote it.
    object.append(parse_json(setting.value).ok() ? setting.value : quoted(setting.value));
  }
  object.push_back('}');
  return object;
}

}  // namespace bentohost::app
