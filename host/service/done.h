// Done: the bento_done of one call of an asynchronous function: hears of its end, once.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <utility>

#include "base/status.h"

namespace bentohost::service {

class Done {
 public:
  class Owner {
   public:
    // [any] The plugin has finished.
    virtual void on_finish(Status status) = 0;
    // [any] A bug of the plugin, undefined by the ABI.
    virtual void on_second_finish() const = 0;

   protected:
    ~Owner() = default;
  };

  explicit Done(Owner& owner) : owner_(owner) {
    table_.self = this;
    table_.done.size = sizeof table_.done;
    table_.done.finish = &Done::finish;
  }
  Done(const Done&) = delete;
  Done& operator=(const Done&) = delete;

  bento_done* get() { return &table_.done; }
  void set_sink(bento_sink* sink) { table_.done.sink = sink; }
  // [any] For a call that has ended without finish, as it has returned an error. False: it has
  // been finished already.
  bool end() { return !has_ended_.exchange(true); }

 private:
  struct Table {
    bento_done done{};  // first: its address is the table's
    Done* self = nullptr;
  };

  static void finish(bento_done* done, bento_code code, const bento_error* error) {
    Done& self = *reinterpret_cast<Table*>(done)->self;
    if (!self.end()) return self.owner_.on_second_finish();
    self.owner_.on_finish(status_of(code, error));
  }
  static Status status_of(bento_code code, const bento_error* error) {
    if (code == BENTO_OK) return {};
    if (code == BENTO_PENDING) {
      return Status(BENTO_INTERNAL, "nothing can finish with PENDING");
    }
    return error == nullptr ? Status(code, "it failed without saying why")
                            : Status::from_plugin(code, *error);
  }

  Owner& owner_;
  Table table_;
  std::atomic<bool> has_ended_ = false;
};

}  // namespace bentohost::service
