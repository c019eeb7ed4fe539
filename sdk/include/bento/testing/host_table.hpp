// HostTable: the bento_host that a plugin under test is given. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/state.hpp>
#include <cstdint>
#include <optional>
#include <string>
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
    host.release = [](bento_ticket* ticket) { delete reinterpret_cast<Ticket*>(ticket); };
    host.defer = &defer;
    host.set_route = [](bento_ctx*, bento_str, bento_error*) -> bento_code { return BENTO_OK; };
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
  // The ticket of a call that has already run.
  struct Ticket {
    Values values;
    std::vector<const bento_value*> pointers;
    std::optional<Error> error;
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
      const Runners& runners = state.environment.runners;
      const Method found = runners.find(detail::view(runner), detail::view(method));
      auto ticket = std::make_unique<Ticket>();
      try {
        ticket->values = run_method(state, found, in, n);
      } catch (const Error& failure) {
        ticket->error = failure;
      }
      for (const auto& value : ticket->values) ticket->pointers.push_back(&value->abi());
      *out = reinterpret_cast<bento_ticket*>(ticket.release());
    });
  }
  static bento_code wait(bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                         bento_error* error) {
    return detail::guard(error, [&] {
      const Ticket& done = *reinterpret_cast<const Ticket*>(ticket);
      if (done.error) throw *done.error;
      *out = done.pointers.data();
      *n = done.pointers.size();
    });
  }
  static bento_code defer(bento_ctx* ctx, Task::Run task, void* arg, void (*drop)(void*),
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
