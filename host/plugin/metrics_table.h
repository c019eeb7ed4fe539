// The bento_metrics that plugins get: turns the ABI's values into calls of an
// observe::CustomMetrics. Its functions: any thread.
#pragma once

#include <bento/abi.h>

#include <string_view>

#include "observe/custom_metrics.h"

namespace bentohost::plugin {

// Where a plugin's metrics go. `metrics` outlives the plugin's last call.
struct MetricsOutlet {
  observe::CustomMetrics* metrics = nullptr;  // null: the plugin is offered no metrics
  observe::MetricScope scope;
};

// Whether the plugin was built with the SDK of this release, so that it knows revision 0 of the
// extensions as this host does.
bool is_of_release(const bento_plugin_entry& entry, std::string_view host_version);

// Its `define` finds the outlet by HostTable::metrics_of().
const bento_metrics& metrics_table();

}  // namespace bentohost::plugin
