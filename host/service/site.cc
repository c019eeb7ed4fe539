#include "service/site.h"

#include <utility>

namespace bentohost::service {

Result<SitePtr> Site::create(const std::vector<const Route*>& own, const RouteLabels& labels,
                             std::vector<PartPtr> parts) {
  const std::shared_ptr<Site> site(new Site);
  site->unmatched_ = labels.unmatched();
  const auto add = [&](const Route& route) {
    site->labels_.emplace(route.label->route, route.label);
    return add_to(site->router_, route);
  };
  for (const Route* route : own) {
    if (Status status = add(*route); !status.ok()) return status;
  }
  for (const PartPtr& part : parts) {
    site->has_middleware_ |= !part->steps().empty();
    for (const Route& route : part->routes()) {
      if (Status status = add(route); !status.ok()) return status;
    }
  }
  site->parts_ = std::move(parts);
  return SitePtr(site);
}

const RouteLabel* Site::label_of(const Match& match) const {
  if (match.target != nullptr) return (*match.target)->label;
  const auto known = labels_.find(match.route);  // one that does not take the method
  return known != labels_.end() ? known->second : unmatched_;
}

PartPtr Site::around(const http::Request& request, const Match& match) const {
  if (!has_middleware_ || request.door == http::Door::kAdmin) return nullptr;
  const Part* owner = match.target != nullptr ? (*match.target)->part : nullptr;
  if (owner == nullptr) {  // a page of the host's, or nothing: whose part of the paths it is in
    for (const PartPtr& part : parts_) {
      const std::string& prefix = part->service().prefix();
      const bool is_in = request.path.starts_with(prefix) &&
                         (request.path.size() == prefix.size() ||
                          request.path[prefix.size()] == '/' || prefix.empty());
      const bool is_longer = owner == nullptr || prefix.size() > owner->service().prefix().size();
      if (is_in && is_longer) owner = part.get();
    }
  }
  return owner != nullptr && !owner->steps().empty() ? hold(*owner) : nullptr;
}

PartPtr Site::hold(const Part& part) const {
  for (const PartPtr& each : parts_) {
    if (each.get() == &part) return each;
  }
  return nullptr;
}

}  // namespace bentohost::service
