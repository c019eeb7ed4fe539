#include "reload/reload_result.h"

namespace bentohost::reload {

int ReloadResult::http_status() const {
  if (status.ok()) return 200;
  if (result == "unknown") return 404;
  if (result == "stopping" || result == "busy") return 503;
  for (const Step circumstance : {Step::kCopy, Step::kLibraries, Step::kRunners}) {
    if (result == name_of(circumstance)) return 409;
  }
  return 422;
}

}  // namespace bentohost::reload
