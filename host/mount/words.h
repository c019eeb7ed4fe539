// Words of a command line, as a shell splits them. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace bentohost::mount {

// Splits at blanks and line ends. '...' is taken as it is; in "..." a backslash protects ", \, $
// and `; outside of quotes it protects any byte. There are no expansions and no operators: $, *, ~,
// | and > are themselves. INVALID_ARGUMENT: a quote that is not closed, or a backslash at the end.
Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace bentohost::mount
