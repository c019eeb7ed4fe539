// HookedExchange: a row of middleware in hooks around one exchange. It is the exchange that is
// answered further in: what passes through it, either way, is shown to each of them, and may be
// changed. None of it waits, so it needs no thread.
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
#include "service/middleware/middleware.h"
#include "service/request.h"
#include "service/scope.h"
#include "service/tracked_exchange.h"

namespace bentohost::service {

class HookedExchange final : public http::Exchange,
                             public std::enable_shared_from_this<HookedExchange> {
 public:
  // `outer` keeps `exchange` and the tracked exchange alive; `row` and the service live longer.
  HookedExchange(RequestDeps& deps, TrackedExchange& tracked, http::Exchange& exchange,
                 std::shared_ptr<const void> outer, const std::vector<Middleware>& row,
                 const std::shared_ptr<const LiveService>& service);
  ~HookedExchange();
  HookedExchange(const HookedExchange&) = delete;
  HookedExchange& operator=(const HookedExchange&) = delete;

  // Shows them the request. False: one has answered it, and it is over. `streamed`: so is its body.
  bool enter(bool streamed);

  // http::Exchange
  const http::Request& request() const override { return edited_ ? *edited_ : outer_.request(); }
  std::string take_body() override;
  std::size_t body_bytes() const override { return outer_.body_bytes(); }
  void respond(http::Response response) override;
  void allow_stream() override { outer_.allow_stream(); }
  Result<http::ReceivedBody> receive() override;
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override { outer_.abort(); }
  void after_sent(std::function<void()> f) override { outer_.after_sent(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<http::DeadlineResponder> late) override {
    outer_.answer_by(when, std::move(late));
  }
  void tighten_deadline(TimePoint when) override { outer_.tighten_deadline(when); }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return outer_.cancelled(); }

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

  // What the hooks call.
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
  http::Exchange& outer_;
  const std::shared_ptr<const void> keep_;
  const std::vector<Middleware>& row_;
  const std::string_view root_path_;
  RequestContext context_;  // what the hooks' ctx is: for the log
  Table table_{};
  std::vector<void*> states_;
  std::size_t entered_ = 0;  // have seen the request
  std::size_t passed_ = 0;   // are shown the response
  At at_ = At::kElsewhere;
  std::unique_ptr<http::Request> edited_;
  Scope scope_;
  std::uint64_t max_body_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t received_ = 0;
  std::optional<http::Response> answer_;  // of a hook
  http::Response* response_ = nullptr;    // that is passing
  std::string piece_, passing_;           // what a hook has put in place of it, and before
  bool has_piece_ = false;
  bool is_cut_ = false;
  const bool is_outermost_;  // and so shows what the tracked exchange answers by itself
  bool is_late_ =
      false;  // the tracked exchange has: what comes now is in vain, and nobody is shown it
};

}  // namespace bentohost::service
