// Reads what an app server mount is, from the command line and from a plugin's description. Pure;
// any thread. All errors are INVALID_ARGUMENT: what is wrong, where, and what was expected.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mount/app_spec.h"

namespace bentohost::mount {

// KIND:APP, "asgi:fastapi_app:app", "wsgi:flask_app:create_app()", or "http:node server.js", whose
// rest is split into words: see split_words().
Result<AppSpec> parse_app(std::string_view text);

// A plugin's, {"kind": "asgi", "app": "fastapi_app:app", ...}: for "http", "command", an array of
// texts, in place of "app"; and any option of <mount/options.h>, with "environment" as an object.
Result<AppSpec> parse_app_json(const rapidjson::Value& object);

// Whether it is the name of a kind of apps: "asgi".
bool is_app_kind(std::string_view name);
// "asgi, wsgi, wsgi+gunicorn and http": for messages.
std::string app_kinds();

// Applies PREFIX.OPTION=VALUE, "/old.threads=8" or "/old.env.NAME=VALUE", to the mount at PREFIX,
// "/" for that at the root. Of several prefixes that fit, the longest is meant.
Status apply_setting(std::vector<Mount>& mounts, std::string_view setting);

// Makes the app's paths absolute: a relative folder is meant from `base`, an absolute path, and the
// default folder is `base` itself. A relative path of the interpreter is meant from the folder; a
// name without a slash stays: it is looked up.
void resolve_paths(AppSpec& app, std::string_view base);

}  // namespace bentohost::mount
