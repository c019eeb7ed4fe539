#include "http/front.h"

namespace bentohost::http {
namespace {

std::string_view address_of(std::string_view client) { return client.substr(0, client.rfind(':')); }

}  // namespace

bool Front::opened(std::string_view client) {
  const std::lock_guard lock(mutex_);
  if (limits.max_connections_per_client != 0) {
    std::size_t& count = clients_[std::string(address_of(client))];
    if (count >= limits.max_connections_per_client) return false;
    ++count;
  }
  application.connections(++open_);
  return true;
}

void Front::closed(std::string_view client) {
  const std::lock_guard lock(mutex_);
  if (const auto it = clients_.find(address_of(client));
      it != clients_.end() && --it->second == 0) {
    clients_.erase(it);
  }
  application.connections(--open_);
  closed_.notify_all();
}

}  // namespace bentohost::http
