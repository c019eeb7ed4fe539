// ReloadResult: how a reload ended. A value.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "reload/progress.h"

namespace bentohost::reload {

struct ReloadResult {
  Status status;  // OK: the file serves; otherwise why it does not
  // The label of bentohost_reload_total: "ok", "unchanged", or the name of the step that failed.
  // Reloads that were not begun are not counted: "unknown" (the service does not exist), "busy"
  // (too many reloads wait), "stopping".
  std::string result;
  std::uint64_t generation = 0;  // the one that serves now
  Progress progress;

  // 200; 422 if the plugin itself is faulty; 409 if a retry may succeed: the steps copy, libraries
  // and runners; 404 and 503 for a reload that was not begun.
  int http_status() const;
};

}  // namespace bentohost::reload
