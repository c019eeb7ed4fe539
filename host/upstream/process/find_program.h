// Which file is executed: programs in PATH, and the Python that an app's server belongs to.
// Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "mount/app_spec.h"

namespace bentohost::upstream {

// Like execvp(3): a name with a slash is a path, relative to `folder`; else the folders of `path`,
// as in $PATH, are looked through. NOT_FOUND says so in words.
Result<std::string> find_program(const std::string& name, const std::string& path,
                                 const std::string& folder);

// The app's interpreter: its own option; else the one in the first line of its server's command
// (uvicorn, gunicorn; flask for bentohost's own worker) in `path`, which is where the app's
// packages are; else python3 in `path`.
Result<std::string> find_interpreter(const mount::AppSpec& app, const std::string& path);

// The interpreter that a script's beginning names: "#!/usr/bin/python3 -s", "#!/usr/bin/env
// python3", or pip's form for long paths, "#!/bin/sh" and then "'''exec' /long/python ...". "": no
// Python. Pure.
std::string interpreter_of(std::string_view script);

}  // namespace bentohost::upstream
