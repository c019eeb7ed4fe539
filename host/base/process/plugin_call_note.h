// PluginCallNote: which code of a plugin a thread is in, and for whom, so that a report of a crash
// can name it. Noted for as long as the call lasts; a few nanoseconds, no allocation. Each thread
// its own.
#pragma once

#include <string_view>
#include <utility>

#include "base/status.h"

namespace bentohost {

// Views of what outlives the call. Empty: not known, or none.
struct PluginCallNote {
  std::string_view service;  // "iris_classifier"
  std::string_view plugin;   // its file
  std::string_view what;     // "api classify", "middleware cors of iris", "on_startup"
  std::string_view method, path, request_id;
};

// The innermost call that this thread is in, or null.
extern constinit thread_local const PluginCallNote* current_call;

class CallScope {
 public:
  explicit CallScope(const PluginCallNote& call) : outer_(std::exchange(current_call, &call)) {}
  ~CallScope() { current_call = outer_; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const PluginCallNote* const outer_;
};

// call_plugin() of base/status.h with a note of what is called.
template <typename F>
Status call_plugin(const PluginCallNote& call, F&& f) {
  const CallScope scope(call);
  return call_plugin(std::forward<F>(f));
}

}  // namespace bentohost
