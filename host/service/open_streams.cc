#include "service/open_streams.h"

#include <vector>

#include "service/async_call.h"

namespace bentohost::service {

void OpenStreams::add(const std::shared_ptr<AsyncCall>& call) {
  const MutexLock lock(mutex_);
  calls_.emplace(call.get(), call);
}

void OpenStreams::remove(const AsyncCall* call) {
  const MutexLock lock(mutex_);
  calls_.erase(call);
}

void OpenStreams::stop() {
  std::vector<std::shared_ptr<AsyncCall>> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [address, call] : calls_) {
      if (auto held = call.lock()) all.push_back(std::move(held));
    }
  }
  for (const auto& call : all) call->stop_stream();
}

}  // namespace bentohost::service
