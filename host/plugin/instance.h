// Instance: a service that is loaded and alive in the host process: its library, its description,
// its host table and its `self`. Lifecycle, each step once and in this order, from one thread:
//
//   load (open, configure) -> create -> start (on_startup) -> ready (on_ready) -> stop
//   (on_shutdown, destroy, close)
//
// stop() may follow any step, unmap() only stop(). The description is immutable: any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "plugin/description.h"
#include "plugin/host_table.h"
#include "plugin/library.h"

namespace bentohost::plugin {

// A plugin's file and options: enough to load it again in a runner process.
struct PluginConfig {
  PluginFile file;
  std::string options_json;  // checked, defaults filled in
  std::string host_version;
  std::string instance = {};     // what the operator calls the service; empty: its own name
  std::string description = {};  // the hash that the probe found; empty: not compared
};

class Instance {
 public:
  // dlopen, bento_entry.open and configure, describe. Errors name the path.
  static Result<std::unique_ptr<Instance>> load(PluginConfig config, HostTable::LogSink log);
  // The same for an entry that is in this process already: a library's, or a test's.
  static Result<std::unique_ptr<Instance>> open(PluginConfig config,
                                                const bento_plugin_entry& entry,
                                                HostTable::LogSink log);
  ~Instance() { stop(); }

  // Where the service's metrics go, from create() on. They outlive the instance.
  void offer_metrics(observe::CustomMetrics& metrics) {
    table_.offer_metrics(*entry_, {&metrics, {spec_.name, {}, {}}});
  }
  // Its requests may fetch.
  void offer_http_client() { table_.offer_http_client(*entry_); }
  Status create();
  Status start();
  Status ready();
  // Only on_shutdown: for an instance whose calls have not all returned. Failures are logged.
  void shut_down();
  void stop();  // shut_down() unless already done, then destroy and close
  // As Library::unmap. Afterwards only the description's strings may be used.
  Status unmap();
  void drop_clean_pages() const;  // as Library::drop_clean_pages

  const PluginConfig& config() const { return config_; }
  const ServiceSpec& spec() const { return spec_; }
  const bento_host* host() const { return table_.get(); }
  void* self() const { return self_; }

 private:
  Instance(PluginConfig config, HostTable::LogSink log)
      : config_(std::move(config)),
        table_(config_.host_version, config_.options_json, config_.file.dir(), std::move(log)) {
    table_.set_instance(config_.instance);
  }
  PluginCallNote note(const char* step) const {
    return {spec_.name, config_.file.path, step, {}, {}, {}};
  }
  Status call(const char* step, bento_code (*hook)(void*, bento_error*));

  PluginConfig config_;
  HostTable table_;
  std::optional<Library> library_;             // none: made by open()
  const bento_plugin_entry* entry_ = nullptr;  // set while open
  ServiceSpec spec_;
  void* self_ = nullptr;
  bool created_ = false, started_ = false;
};

}  // namespace bentohost::plugin
