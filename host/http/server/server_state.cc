#include "http/server/server_state.h"

#include "base/mutex.h"
#include "http/rejection_reasons.h"

namespace bentohost::http {
namespace {

std::string_view address_of(std::string_view client) { return client.substr(0, client.rfind(':')); }

}  // namespace

std::string_view ServerState::opened(std::string_view client, ListenerRole role) {
  const MutexLock lock(mutex_);
  const bool is_operator = role == ListenerRole::kAdmin;
  if (is_operator && open_to_operators_ >= limits.max_admin_connections) {
    return reason::kAdminConnections;
  }
  if (limits.max_connections_per_client != 0) {
    std::size_t& count = clients_[std::string(address_of(client))];
    if (count >= limits.max_connections_per_client) return reason::kClientConnections;
    ++count;
  }
  if (is_operator) ++open_to_operators_;
  application.connections(++open_);
  return {};
}

void ServerState::closed(std::string_view client, ListenerRole role) {
  const MutexLock lock(mutex_);
  if (role == ListenerRole::kAdmin) --open_to_operators_;
  if (const auto it = clients_.find(address_of(client));
      it != clients_.end() && --it->second == 0) {
    clients_.erase(it);
  }
  application.connections(--open_);
  closed_.notify_all();
}

}  // namespace bentohost::http
