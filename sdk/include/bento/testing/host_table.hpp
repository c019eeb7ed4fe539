// HostTable: the bento_host that a plugin under test is given. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/calls.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/fetch.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing::internal {

class HostTable {
 public:
  HostTable(Environment& environment, std::string plugin_dir) : plugin_dir_(std::move(plugin_dir)) {
    bento_host& host = table_.host;
    host.size = sizeof host;
    host.abi_major = BENTO_ABI_MAJOR;
    host.abi_minor = BENTO_ABI_TARGET_MINOR;
    host.version = detail::str("bento::testing");
    host.plugin_dir = detail::str(plugin_dir_);
    host.log = &log;
    host.scope = [](bento_ctx* ctx) { return RequestState::of(ctx).scope; };
    host.set_status = &set_status;
    host.add_header = &add_header;
    host.cancelled = [](bento_ctx* ctx) -> std::int32_t {
      return RequestState::of(ctx).is_cancelled() ? 1 : 0;
    };
    host.submit = &submit;
    host.wait = &wait;
    host.release = [](bento_ticket* ticket) { Ticket::release(ticket); };
    host.defer = &defer<Task::Run>;
    host.set_route = [](bento_ctx*, bento_str, bento_error*) -> bento_code { return BENTO_OK; };
#if BENTO_ABI_TARGET_MINOR >= 1
    host.when = [](bento_ticket* ticket, void (*wake)(void*), void* arg) -> std::int32_t {
      return Ticket::of(ticket).when(wake, arg) ? 1 : 0;
    };
    host.next = &next;
    host.after = &after;
    host.promise = &promise;
    host.resolve = &resolve;
    host.offload = &offload;
    host.defer_async = &defer<Task::RunAsync>;
    host.caller = [](bento_ctx* ctx, std::size_t i) -> const bento_caller* {
      RequestState& state = RequestState::of(ctx);
      if (i >= state.callers.size()) return nullptr;
      if (state.is_gone) state.callers[i].cancelled = 1;
      return &state.callers[i];
    };
    host.extension = &extension;
#endif
    table_.environment = &environment;
    set_options("{}");
  }
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  void set_options(std::string json) {
    options_ = std::move(json);
    table_.host.options = detail::str(options_);
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  void set_instance(std::string name) {
    instance_ = std::move(name);
    table_.host.instance = detail::str(instance_);
  }
#endif
  const bento_host* abi() const { return &table_.host; }

 private:
  struct Table {
    bento_host host{};  // first: has the table's address
    Environment* environment = nullptr;
  };
  static void log(const bento_host* host, bento_ctx* ctx, std::int32_t level, bento_str message,
                  bento_pairs) {
    const std::string text(detail::view(message));
    if (ctx != nullptr) return RequestState::of(ctx).log(static_cast<Log>(level), text);
    reinterpret_cast<const Table*>(host)->environment->log.push_back(
        {static_cast<Log>(level), text, {}});
  }
  static bento_code set_status(bento_ctx* ctx, std::uint32_t status, bento_error* error) {
    return detail::guard(error, [&] {
      check_status(status);
      RequestState::of(ctx).status = status;
    });
  }
  static bento_code add_header(bento_ctx* ctx, bento_pair header, bento_error* error) {
    return detail::guard(error, [&] {
      const std::string_view name = detail::view(header.name), value = detail::view(header.value);
      check_header(name, value);
      RequestState::of(ctx).headers.add(name, value);
    });
  }
  static bento_code submit(bento_ctx* ctx, bento_str runner, bento_str method,
                           const bento_value* const* in, std::size_t n, bento_ticket** out,
                           bento_error* error) {
    return detail::guard(error, [&] {
      RequestState& state = RequestState::of(ctx);
      if (!state.may_call) {
        misuse("a quick handler or a hook cannot call runners: " +
               std::string(detail::view(runner)) + "." + std::string(detail::view(method)));
      }
      const Method found =
          state.environment.runners.find(detail::view(runner), detail::view(method));
      *out = Ticket::give(state.environment.calls->submit(state, found, in, n));
    });
  }
  static bento_code wait(bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                         bento_error* error) {
    return detail::guard(error, [&] { put(Ticket::of(ticket).wait(), out, n); });
  }
  static void put(std::span<const bento_value* const> values, const bento_value* const** out,
                  std::size_t* n) {
    *out = values.data();
    *n = values.size();
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  static bento_code next(bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                         bento_error* error) {
    return detail::guard(error, [&] { put(Ticket::of(ticket).next(), out, n); });
  }
  static bento_code after(bento_ctx* ctx, std::uint64_t ns, bento_ticket** out,
                          bento_error* error) {
    return detail::guard(error, [&] {
      const auto ticket = std::make_shared<Ticket>(RequestState::of(ctx), false);
      ticket->end_after(Loop::Time(static_cast<std::int64_t>(ns)));
      *out = Ticket::give(ticket);
    });
  }
  static const void* extension(const bento_host*, const char* id) {
    static const bento_http_client kHttpClient{sizeof(bento_http_client), 0, &fetch, &event};
    return std::string_view(id) == BENTO_EXT_HTTP_CLIENT ? &kHttpClient : nullptr;
  }
  static bento_code fetch(bento_ctx* ctx, const bento_fetch* request, bento_ticket** out,
                          bento_error* error) {
    return detail::guard(error, [&] {
      RequestState& state = RequestState::of(ctx);
      if (!state.may_call) misuse("a quick handler or a hook cannot wait for anything");
      *out = Ticket::give(start_fetch(state, *request));
    });
  }
  static bento_code event(bento_ticket* ticket, bento_event* out, bento_error* error) {
    return detail::guard(error, [&] { Ticket::of(ticket).event(out); });
  }
  struct Resolver {
    Loop& loop;
    std::weak_ptr<Ticket> ticket;  // used on the loop alone
  };
  static bento_code promise(bento_ctx* ctx, bento_ticket** out, void** resolver,
                            bento_error* error) {
    return detail::guard(error, [&] {
      RequestState& state = RequestState::of(ctx);
      const auto ticket = std::make_shared<Ticket>(state, false);
      *resolver = new Resolver{state.environment.loop, ticket};
      ++state.environment.loop.awaited_outside;
      *out = Ticket::give(ticket);
    });
  }
  static void resolve(void* resolver, bento_code code, const bento_value* or_null,
                      const bento_error* error) {
    auto* const which = static_cast<Resolver*>(resolver);
    std::shared_ptr<Value> value;
    if (or_null != nullptr) {
      value = std::make_shared<Value>();
      value->copy(*or_null);
    }
    std::optional<Error> failure;
    if (code != BENTO_OK) {
      failure.emplace(code, error != nullptr ? error->message : "a promise was failed",
                      error != nullptr ? error->http_status : 0);
    }
    which->loop.post_from_any([which, value, failure] {
      --which->loop.awaited_outside;
      Values values;
      if (value) {
        values.push_back(std::make_unique<Value>());
        values.back()->copy(value->abi());
      }
      if (const auto ticket = which->ticket.lock()) ticket->end(std::move(values), failure);
      delete which;
    });
  }
  // In the next turn, on the thread that turns the loop.
  static bento_code offload(bento_ctx* ctx, void (*work)(void*), void* arg, bento_ticket** out,
                            bento_error* error) {
    return detail::guard(error, [&] {
      RequestState& state = RequestState::of(ctx);
      const auto ticket = std::make_shared<Ticket>(state, true);
      state.environment.loop.post([work, arg, weak = std::weak_ptr(ticket)] {
        work(arg);
        if (const auto self = weak.lock()) self->end();
      });
      *out = Ticket::give(ticket);
    });
  }
#endif

  template <typename Run>
  static bento_code defer(bento_ctx* ctx, Run task, void* arg, void (*drop)(void*),
                          bento_error* error) {
    return detail::guard(error, [&] {
      RequestState& state = RequestState::of(ctx);
      if (!state.may_defer) misuse("defer: there is no response here");
      if (state.tasks.size() >= state.environment.max_background) {
        throw Error(BENTO_RESOURCE_EXHAUSTED, "too many background tasks wait already");
      }
      state.tasks.emplace_back(task, arg, drop);
    });
  }

  std::string plugin_dir_, options_, instance_;
  Table table_;
};

}  // namespace bento::testing::internal
