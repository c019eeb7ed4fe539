// The names of Python apps: "fastapi_app:app", "shop.web:create_app('prod')". Pure; any thread.
#pragma once

#include <string_view>

#include "base/status.h"
#include "mount/app_spec.h"

namespace bentohost::mount {

// MODULE:APP. MODULE is a dotted path of identifiers, as for `import`. APP is a name in the module,
// with attributes after dots, or the call of a factory. Servers differ: uvicorn calls a factory
// without arguments; the others take literals (texts, numbers, True, False and None), also by name.
// gunicorn knows no attributes. INVALID_ARGUMENT says what is wrong and where.
Status check_app_name(AppKind kind, std::string_view name);

}  // namespace bentohost::mount
