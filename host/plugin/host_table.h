// HostTable: the bento_host that a plugin gets: function pointers that call bento_ctx, bento_ticket
// and a log. It must outlive the plugin's last call. Its functions: any thread.
#pragma once

#include <bento/abi.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "plugin/metrics_table.h"

namespace bentohost::plugin {

class HostTable {
 public:
  // Gets a plugin's log lines. The fields include those of the request, if there is one.
  using LogSink = std::function<void(LogLevel, std::string_view, std::span<const LogField>)>;

  HostTable(std::string version, std::string options_json, std::string plugin_dir, LogSink log);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  const bento_host* get() const { return &table_.host; }
  // While no other thread is in the plugin.
  void set_options(std::string json);
  void set_instance(std::string name);  // what the operator calls the service
  // From now on the plugin may define metrics, if it was built with the SDK of this release. Before
  // the service's or runner's create().
  void offer_metrics(const bento_plugin_entry& entry, MetricsOutlet outlet);
  // The same for fetches, which the service's ctxs answer.
  void offer_http_client(const bento_plugin_entry& entry);
  // Of a table that offers metrics.
  static const MetricsOutlet& metrics_of(const bento_host* host) { return owner_of(host).metrics_; }

 private:
  struct Table {
    bento_host host;  // first: its address is the table's
    HostTable* owner;
  };
  static const HostTable& owner_of(const bento_host* host) {
    return *reinterpret_cast<const Table*>(host)->owner;
  }
  static void log(const bento_host* host, bento_ctx* ctx, std::int32_t level, bento_str message,
                  bento_pairs fields);
  static const void* extension(const bento_host* host, const char* id);

  std::string version_, options_, plugin_dir_, instance_;
  LogSink log_;
  MetricsOutlet metrics_;
  bool has_http_client_ = false;
  Table table_{};
};

}  // namespace bentohost::plugin
