// AsyncTask: one call of an asynchronous background task, from its beginning until the plugin
// finishes it. The plugin holds it until then. [loop]
#pragma once

#include <bento/abi.h>

#include <functional>
#include <memory>
#include <optional>

#include "base/loop/event_loop.h"
#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "plugin/async_scope.h"
#include "service/done.h"

namespace bentohost::service {

class AsyncTask final : public std::enable_shared_from_this<AsyncTask>,
                        private plugin::AsyncScope::Owner,
                        private Done::Owner {
 public:
  using Function = std::function<bento_code(bento_done*, bento_error*)>;
  // The texts of `note` must outlive the call. `then` is called once, when the plugin has finished
  // and has returned.
  AsyncTask(EventLoop& loop, const PluginCallNote& note, std::function<void(const Status&)> then);

  // What the task's ctx waits with.
  std::shared_ptr<plugin::AsyncScope> scope() { return {shared_from_this(), &scope_}; }
  void begin(const Function& function);
  // What it waits for fails, from now on.
  void cancel(const Status& why) { scope_.cancel(why); }

 private:
  void wake(const plugin::Wake& wake) override;
  void on_wait() override {}
  void on_finish(Status status) override;
  void on_second_finish() const override;
  template <typename F>
  void enter(F&& f);
  void complete();

  EventLoop& loop_;
  const PluginCallNote note_;
  const std::function<void(const Status&)> then_;
  plugin::AsyncScope scope_{*this};
  Done done_{*this};
  std::shared_ptr<AsyncTask> keep_;  // the plugin's reference
  bool is_inside_ = false;           // of the plugin's code
  bool is_complete_ = false;
  std::optional<Status> finished_;  // within a call of the plugin, until that returns
};

}  // namespace bentohost::service
