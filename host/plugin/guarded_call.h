// Calls into a plugin that starts or ends. Nothing may be thrown across the ABI; a plugin that does
// so anyway must not take down the host and the generation that serves.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "base/process/plugin_call_note.h"
#include "base/status.h"

namespace bentohost::plugin {

// call_plugin(), and what is thrown as a Status.
template <typename F>
Status call_guarded(const PluginCallNote& call, F&& f) {
  constexpr const char* kThrown = "an exception was thrown across the ABI";
  try {
    return call_plugin(call, std::forward<F>(f));
  } catch (const std::exception& e) {
    return Status(BENTO_INTERNAL, std::string(kThrown) + ": " + e.what());
  } catch (...) {
    return Status(BENTO_INTERNAL, kThrown);
  }
}

}  // namespace bentohost::plugin
