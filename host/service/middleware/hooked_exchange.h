// HookedExchange: a row of middleware in hooks around one exchange. Everything further in answers
// this exchange: each middleware sees the request and the response pass, and may change them. Hooks
// never wait, so no thread is needed.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "service/exchange_decorator.h"
#include "service/middleware/middleware.h"
#include "service/request.h"
#include "service/scope.h"
#include "service/tracked_exchange.h"

namespace bentohost::service {

class HookedExchange final : public ExchangeDecorator,
                             public std::enable_shared_from_this<HookedExchange> {
 public:
  // `keep` keeps `exchange` and the tracked exchange alive; `row` and the service outlive this.
  HookedExchange(RequestDeps& deps, TrackedExchange& tracked, http::Exchange& exchange,
                 std::shared_ptr<const void> keep, const std::vector<Middleware>& row,
                 const std::shared_ptr<const LiveService>& service);
  ~HookedExchange();

  // Calls on_request. False: a hook has answered the request. `streamed`: the body is streamed.
  bool enter(bool streamed);

  // http::Exchange
  const http::Request& request() const override { return edited_ ? *edited_ : outer().request(); }
  std::string take_body() override;
  void respond(http::Response&& response) override;
  Result<http::ReceivedBody> receive() override;
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;

 private:
  enum class At { kRequest, kResponse, kBody, kElsewhere };
  struct Table {
    bento_exchange exchange;  // first: its address is the table's
    HookedExchange* owner;
  };
  using Hook = bento_code (*)(void*, const bento_middleware*, bento_exchange*, bento_error*);

  static HookedExchange& of(bento_exchange* exchange) {
    return *reinterpret_cast<Table*>(exchange)->owner;
  }
  static bento_exchange make_exchange();
  Status call(std::size_t index, Hook hook);
  PluginCallNote note(std::size_t index) const;
  Status fail(std::size_t index, const Status& status);
  bool begin_answer();
  Status show_response(http::Response& response, bool more);
  Status show_piece(std::string_view& bytes, bool more);
  void refuse(const Status& original);
  void end();

  // Called by the hooks.
  Status set(std::string_view what, std::string_view value);
  Status set_header(std::string_view name, bento_str value);
  Status set_body(std::string_view bytes);
  Status limit_body(std::uint64_t bytes);
  Status set_deadline(std::uint64_t deadline_ns);
  Status answer(const bento_event& event);
  bento_str response_header(std::string_view name, std::size_t nth);
  Status set_response_header(std::string_view name, bento_str value, bool in_place);

  http::Request& edit();
  void refresh_scope();

  TrackedExchange& tracked_;
  const std::shared_ptr<const void> keep_;
  const std::vector<Middleware>& row_;
  const std::string_view root_path_;
  RequestContext context_;  // the hooks' ctx, for logging
  Table table_{};
  std::vector<void*> states_;
  std::size_t entered_ = 0;  // middleware that has seen the request
  std::size_t passed_ = 0;   // middleware that will see the response
  At at_ = At::kElsewhere;
  std::unique_ptr<http::Request> edited_;
  Scope scope_;
  std::uint64_t max_body_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t received_ = 0;
  std::optional<http::Response> answer_;  // from a hook
  http::Response* response_ = nullptr;    // the one that the hooks are seeing
  std::string piece_, passing_;           // a hook's replacement of the body, and the one before
  bool has_piece_ = false;
  bool is_aborted_ = false;
  bool is_tunnel_ = false;   // its bytes are no body, and the hooks do not see them
  const bool is_outermost_;  // and so sees what the tracked exchange answers by itself
  bool is_late_ = false;     // the tracked exchange has answered: later responses are ignored
};

}  // namespace bentohost::service
