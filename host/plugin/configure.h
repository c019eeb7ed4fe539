// The second step to a plugin's description: after its options. The probe, the host and each worker
// take it alike.
#pragma once

#include <bento/abi.h>

#include <string>

#include "base/status.h"
#include "plugin/description.h"

namespace bentohost::plugin {

// Whether the plugin describes itself after its options are known.
bool has_configure(const bento_plugin_entry& entry);

// The whole description: what entry.configure returns, or `opened`, open's, if there is no
// configure. `host` has the service's options and instance. `file` is for crash reports. Errors:
// "configure failed: " and the plugin's own message, or that it has changed its name or options.
// (waits)
Result<ServiceSpec> configure(const bento_plugin_entry& entry, const bento_host* host,
                              ServiceSpec opened, const std::string& file);

// OK if the process that compared before has got the same description: `expected` is its hash, or
// empty. UNAVAILABLE says what may have happened.
Status check_description(const ServiceSpec& spec, const std::string& expected);

}  // namespace bentohost::plugin
