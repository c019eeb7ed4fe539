#include "plugin/configure.h"

#include <utility>

#include "base/process/plugin_call_note.h"
#include "plugin/check_struct.h"
#include "plugin/guarded_call.h"

namespace bentohost::plugin {

bool has_configure(const bento_plugin_entry& entry) {
  return newer_field<&bento_plugin_entry::configure>(entry) != nullptr;
}

Result<ServiceSpec> configure(const bento_plugin_entry& entry, const bento_host* host,
                              ServiceSpec opened, const std::string& file) {
  if (!has_configure(entry)) return opened;
  const bento_service* service = nullptr;
  Status status =
      call_guarded({opened.name, file, "configure", {}, {}, {}}, [&](bento_error* error) {
        service = entry.configure(host, error);
        if (service != nullptr) return bento_code{BENTO_OK};
        // A null service without an error code is a failure, too.
        return error->code != BENTO_OK ? error->code : bento_code{BENTO_UNKNOWN};
      });
  if (!status.ok()) return std::move(status).prefixed("configure failed: ");
  auto spec = describe(service);
  if (!spec.ok()) return std::move(spec).take_status().prefixed("after configure: ");
  if (spec->name != opened.name) {
    return refuse("configure has changed the service's name from " + opened.name + " to " +
                  spec->name);
  }
  if (spec->options_schema != opened.options_schema) {
    return refuse("configure has changed the options of service " + spec->name +
                  ": they are declared before it");
  }
  return spec;
}

Status check_description(const ServiceSpec& spec, const std::string& expected) {
  if (expected.empty() || spec.hash == expected) return {};
  return Status(BENTO_UNAVAILABLE,
                "the description of service " + spec.name +
                    " has changed since it was loaded: a file that it is made from was replaced, "
                    "or it is not the same in every process; reload the service");
}

}  // namespace bentohost::plugin
