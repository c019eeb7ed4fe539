#include "upstream/upstream.h"

#include <utility>

#include "base/recycled.h"
#include "upstream/proxy_request.h"
#include "upstream/server_set.h"

namespace bentohost::upstream {

Upstream::Upstream(UpstreamOptions options, UpstreamMetrics metrics)
    : servers_(std::make_shared<ServerSet>(std::move(options), std::move(metrics))) {}

Upstream::~Upstream() { servers_->close(); }

ServerId Upstream::add(std::string address) { return servers_->add(std::move(address)); }

void Upstream::retire(ServerId id, std::function<void()> drained) {
  servers_->retire(id, std::move(drained));
}

void Upstream::remove(ServerId id) { servers_->remove(id); }

void Upstream::set_reason(std::string reason, Duration retry_after) {
  servers_->set_reason(std::move(reason), retry_after);
}

Status Upstream::availability() const { return servers_->availability(); }
void Upstream::end_tunnels() { servers_->end_requests(/*tunnels_alone=*/true); }
void Upstream::end_requests() { servers_->end_requests(/*tunnels_alone=*/false); }
std::uint64_t Upstream::served(ServerId id) const { return servers_->served(id); }
std::size_t Upstream::in_flight() const { return servers_->in_flight.load(); }
std::size_t Upstream::waiting() const { return servers_->waiting.load(); }
std::size_t Upstream::serving() const { return servers_->serving(); }
std::size_t Upstream::connections() const { return servers_->connections(); }
const UpstreamOptions& Upstream::options() const { return servers_->options; }

void proxy(std::shared_ptr<Downstream> downstream, std::shared_ptr<Upstream> upstream) {
  make_recycled<ProxyRequest>(std::move(downstream), std::move(upstream))->begin();
}

}  // namespace bentohost::upstream
