#include "mount/app_spec.h"

namespace bentohost::mount {

std::string_view name_of(AppKind kind) {
  switch (kind) {
    case AppKind::kAsgi:
      return "asgi";
    case AppKind::kWsgi:
      return "wsgi";
    case AppKind::kWsgiGunicorn:
      return "wsgi+gunicorn";
    case AppKind::kHttp:
      return "http";
  }
  return {};
}

}  // namespace bentohost::mount
