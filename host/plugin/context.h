// The ABI's opaque handles, as interfaces that the host table calls for a plugin. The service room
// implements them for a request, the runner room for a batch. Plugins see only pointers.
#pragma once

#include <bento/abi.h>

#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"

// One runner call in flight. Destroying it unwaited cancels the call.
struct bento_ticket {
  virtual ~bento_ticket() = default;
  // Waits for the result. The values live as long as the ticket; further calls return the same.
  virtual bentohost::Result<std::span<const bento_value* const>> wait() = 0;
};

// One request, or one batch of a runner. Calls that are not overridden fail with UNIMPLEMENTED.
struct bento_ctx {
  virtual const bento_scope* scope() { return nullptr; }
  virtual std::string_view request_id() const { return {}; }
  virtual bentohost::Status set_status(std::uint32_t status);
  virtual bentohost::Status add_header(std::string_view name, std::string_view value);
  virtual bentohost::Status set_route(std::string_view route);
  virtual bool cancelled() const { return false; }
  virtual bentohost::Result<std::unique_ptr<bento_ticket>> submit(
      std::string_view runner, std::string_view method, std::span<const bento_value* const> inputs);
  virtual bentohost::Status defer(bento_code (*task)(void*, bento_ctx*, bento_error*), void* arg,
                                  void (*drop)(void*));

 protected:
  ~bento_ctx() = default;
};
