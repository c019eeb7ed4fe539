// PluginCallNote: which plugin code a thread is in, and for which request, so that a crash report
// can name both. Noted while the call lasts; costs nanoseconds, no allocation. One per thread.
#pragma once

#include <string_view>
#include <utility>

#include "base/status.h"

namespace bentohost {

// Views of text that outlives the call. Empty: unknown, or none.
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

// call_plugin() of base/status.h, with a note of the call.
template <typename F>
Status call_plugin(const PluginCallNote& call, F&& f) {
  const CallScope scope(call);
  return call_plugin(std::forward<F>(f));
}

}  // namespace bentohost
