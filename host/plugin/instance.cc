#include "plugin/instance.h"

#include <utility>

#include "base/log.h"
#include "base/process/plugin_call_note.h"
#include "plugin/configure.h"
#include "plugin/guarded_call.h"

namespace bentohost::plugin {
Result<std::unique_ptr<Instance>> Instance::load(PluginConfig config, HostTable::LogSink log) {
  auto library = Library::open(config.file);
  if (!library.ok()) return std::move(library).take_status();
  auto instance = open(std::move(config), (*library).entry(), std::move(log));
  if (instance.ok()) (*instance)->library_ = *std::move(library);
  return instance;
}

Result<std::unique_ptr<Instance>> Instance::open(PluginConfig config,
                                                 const bento_plugin_entry& entry,
                                                 HostTable::LogSink log) {
  std::unique_ptr<Instance> instance(new Instance(std::move(config), std::move(log)));
  const std::string context = instance->config_.file.path + ": ";
  auto service = open_service(entry, instance->table_.get());
  if (!service.ok()) return std::move(service).take_status().prefixed(context);
  instance->entry_ = &entry;

  auto spec = describe(*service);
  const std::string& name = instance->config_.instance;
  if (spec.ok()) {
    if (name.empty()) instance->table_.set_instance(spec->name);
    spec = configure(entry, instance->table_.get(), *std::move(spec), instance->config_.file.path);
  }
  if (!spec.ok()) return std::move(spec).take_status().prefixed(context);
  if (Status status = check_description(*spec, instance->config_.description); !status.ok()) {
    return std::move(status).prefixed(context);
  }
  instance->spec_ = *std::move(spec);
  if (!name.empty()) instance->spec_.name = name;
  return instance;
}

Status Instance::create() {
  if (spec_.abi->create != nullptr) {
    Status status = call_guarded(note("create"), [&](bento_error* error) {
      return spec_.abi->create(table_.get(), &self_, error);
    });
    if (!status.ok()) {
      return std::move(status).prefixed("service " + spec_.name + ": create failed: ");
    }
  }
  created_ = true;
  return {};
}

Status Instance::start() {
  Status status = call("on_startup", spec_.abi->on_startup);
  started_ = status.ok();
  return status;
}

Status Instance::ready() { return call("on_ready", spec_.abi->on_ready); }

void Instance::shut_down() {
  if (!std::exchange(started_, false)) return;
  if (Status status = call("on_shutdown", spec_.abi->on_shutdown); !status.ok()) {
    log_error(status.message());
  }
}

void Instance::stop() {
  shut_down();
  if (std::exchange(created_, false) && spec_.abi->destroy != nullptr) {
    Status status = call_guarded(note("destroy"), [&](bento_error*) {
      spec_.abi->destroy(self_);
      return BENTO_OK;
    });
    if (!status.ok()) log_error("service " + spec_.name + ": destroy failed: " + status.message());
  }
  if (const auto* entry = std::exchange(entry_, nullptr)) entry->close();
}

Status Instance::unmap() { return library_ ? library_->unmap() : Status(); }

void Instance::drop_clean_pages() const {
  if (library_) library_->drop_clean_pages();
}

Status Instance::call(const char* step, bento_code (*hook)(void*, bento_error*)) {
  if (hook == nullptr) return {};
  Status status = call_guarded(note(step), [&](bento_error* error) { return hook(self_, error); });
  if (status.ok()) return {};
  return std::move(status).prefixed("service " + spec_.name + ": " + step + " failed: ");
}

}  // namespace bentohost::plugin
