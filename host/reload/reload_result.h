// ReloadResult: how a reload has ended. A value.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "reload/progress.h"

namespace bentohost::reload {

struct ReloadResult {
  Status status;  // OK: the file serves; else why not
  // The label of bentohost_reload_total: "ok", "unchanged", or the name of the step that failed.
  // For reloads that were not begun, which are not counted: "unknown" (no such service), "busy"
  // (too many wait), "stopping".
  std::string result;
  std::uint64_t generation = 0;  // that serves now
  Progress progress;

  // 200; 422 for what is wrong with the plugin itself; 409 for what may be otherwise when it is
  // tried again: the steps copy, libraries and runners; 404 and 503 for a reload that was not
  // begun.
  int http_status() const;
};

}  // namespace bentohost::reload
