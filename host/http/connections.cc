#include "http/connections.h"

namespace bentohost::http {

void Connections::admit() {
  const std::lock_guard lock(mutex_);
  ++open_;
}

void Connections::attach(Interruptible& connection) {
  const std::lock_guard lock(mutex_);
  attached_.insert(&connection);
  if (mode() == Mode::kCut) connection.cut();
}

void Connections::detach(Interruptible& connection) {
  const std::lock_guard lock(mutex_);
  attached_.erase(&connection);
}

void Connections::leave() {
  const std::lock_guard lock(mutex_);
  --open_;
  left_.notify_all();
}

void Connections::enter(Mode mode) {
  const std::lock_guard lock(mutex_);
  if (mode <= mode_) return;
  mode_ = mode;
  for (Interruptible* connection : attached_) connection->end_idle_wait();
}

bool Connections::wait_until_none(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  return left_.wait_until(lock, deadline, [this] { return open_ == 0; });
}

std::size_t Connections::cut() {
  const std::lock_guard lock(mutex_);
  mode_ = Mode::kCut;
  for (Interruptible* connection : attached_) connection->cut();
  return open_;
}

}  // namespace bentohost::http
