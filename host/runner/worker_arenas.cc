#include "runner/worker_arenas.h"

#include <utility>

namespace bentohost::runner {

using Kind = ArenaMessage::Kind;

bool WorkerArenas::receive(bool waits, ArenaMessage& message) {
  if (!channel_) return false;
  Received received = receive_with_fd(channel_.get(), message.room(), waits, calls_);
  if (received.outcome == Received::Outcome::kEnd || (received.length != sizeof message && waits))
    channel_.reset();
  if (received.length != sizeof message) return false;
  switch (message.kind) {
    case Kind::kInput:
    case Kind::kOutput: {
      auto memory = SharedMemory::map(received.fd, static_cast<std::size_t>(message.bytes), calls_);
      if (memory.ok()) {
        arenas_[message.arena] = {*std::move(memory), message.kind == Kind::kOutput};
      } else {
        channel_.reset();  // the host notices, and makes no more
      }
      break;
    }
    case Kind::kReturn:
      put_back(message.arena);
      break;
    case Kind::kDrop:
      arenas_.erase(message.arena);
      break;
    default:
      break;
  }
  return true;
}

void WorkerArenas::read_news() {
  ArenaMessage message;
  while (receive(/*waits=*/false, message)) continue;
}

// The host has sent the arena before the call that names it.
const char* WorkerArenas::find(std::uint32_t arena, std::uint64_t length) {
  if (arenas_.count(arena) == 0) read_news();
  const auto found = arenas_.find(arena);
  is_missing_ = is_missing_ || found == arenas_.end();
  if (found == arenas_.end() || length > found->second.memory.size()) return nullptr;
  return found->second.memory.data();
}

OutputMemory::Block WorkerArenas::find_free(std::size_t bytes) {
  auto best = arenas_.end();
  for (auto it = arenas_.begin(); it != arenas_.end(); ++it) {
    if (!it->second.is_free || it->second.memory.size() < bytes) continue;
    if (best == arenas_.end() || it->second.memory.size() < best->second.memory.size()) best = it;
  }
  if (best == arenas_.end()) return {};
  best->second.is_free = false;
  return {best->first, best->second.memory.data()};
}

OutputMemory::Block WorkerArenas::take(std::size_t bytes) {
  if (bytes <= kArenaThreshold || !channel_) return {};
  read_news();
  if (const Block block = find_free(bytes); block.arena != 0) return block;
  const ArenaMessage ask{Kind::kAsk, 0, bytes};
  if (!channel_ || !send_with_fd(channel_.get(), ask.view(), -1, calls_)) return {};
  ArenaMessage message;
  while (receive(/*waits=*/true, message)) {
    if (message.kind == Kind::kRefuse) return {};
    if (message.kind == Kind::kOutput) return find_free(bytes);
  }
  return {};
}

void WorkerArenas::put_back(std::uint32_t arena) {
  if (const auto found = arenas_.find(arena); found != arenas_.end()) found->second.is_free = true;
}

}  // namespace bentohost::runner
