// OpenStreams: the asynchronous calls that may stream, so that they can be told when the host
// stops: what they wait for may never come. Any thread.
#pragma once

#include <map>
#include <memory>

#include "base/mutex.h"

namespace bentohost::service {

class AsyncCall;

class OpenStreams {
 public:
  // Each call is on the loop of a connection.
  void add(const std::shared_ptr<AsyncCall>& call);
  void remove(const AsyncCall* call);
  // The host drains: responses that have begun are to end.
  void stop();

 private:
  Mutex mutex_;
  std::map<const AsyncCall*, std::weak_ptr<AsyncCall>> calls_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::service
