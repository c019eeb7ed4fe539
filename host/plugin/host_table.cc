#include "plugin/host_table.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "plugin/context.h"
#include "plugin/http_client_table.h"
#include "plugin/tickets.h"

using bentohost::Status;
using bentohost::to_view;
using bentohost::plugin::TicketPtr;

Status bento_ctx::set_status(std::uint32_t) {
  return Status(BENTO_UNIMPLEMENTED, "set_status: there is no response here");
}

Status bento_ctx::add_header(std::string_view, std::string_view) {
  return Status(BENTO_UNIMPLEMENTED, "add_header: there is no response here");
}

Status bento_ctx::set_route(std::string_view) {
  return Status(BENTO_UNIMPLEMENTED, "set_route: there is no response here");
}

bentohost::Result<TicketPtr> bento_ctx::submit(std::string_view, std::string_view,
                                               std::span<const bento_value* const>) {
  return Status(BENTO_UNIMPLEMENTED, "submit: runners are called from the host process only");
}

bentohost::Status bento_ctx::defer(bento_code (*)(void*, bento_ctx*, bento_error*), void*,
                                   void (*)(void*)) {
  return Status(BENTO_UNIMPLEMENTED, "defer: there is no response here");
}

bentohost::Status bento_ctx::defer_async(bento_code (*)(void*, bento_ctx*, bento_done*,
                                                        bento_error*),
                                         void*, void (*)(void*)) {
  return Status(BENTO_UNIMPLEMENTED, "defer_async: there is no response here");
}

bentohost::Result<bentohost::plugin::Waiter> bento_ctx::waiter() {
  return Status(BENTO_UNIMPLEMENTED,
                "timers and promises: only requests and their tasks have them");
}

bentohost::Result<TicketPtr> bento_ctx::offload(void (*)(void*), void*) {
  return Status(BENTO_UNIMPLEMENTED, "offload: only asynchronous functions have a use for it");
}

bentohost::Result<TicketPtr> bento_ctx::fetch(const bento_fetch&) {
  return Status(BENTO_UNIMPLEMENTED, "fetch: only requests and their tasks have an HTTP client");
}

Status bento_ticket::event(bento_event*) {
  return Status(BENTO_INVALID_ARGUMENT, "this ticket is of no fetch: it has results, not events");
}

namespace bentohost::plugin {
namespace {

// Errors of these functions are the plugin's mistake, not the client's: as_misuse(). Errors of
// wait() are not, since they come from the runner's method.

const bento_scope* scope(bento_ctx* ctx) { return ctx->scope(); }

bento_code set_status(bento_ctx* ctx, std::uint32_t status, bento_error* error) {
  return ctx->set_status(status).as_misuse().give(error);
}

bento_code add_header(bento_ctx* ctx, bento_pair header, bento_error* error) {
  return ctx->add_header(to_view(header.name), to_view(header.value)).as_misuse().give(error);
}

std::int32_t cancelled(bento_ctx* ctx) { return ctx->cancelled() ? 1 : 0; }

const bento_caller* caller(bento_ctx* ctx, std::size_t i) { return ctx->caller(i); }

// Calls `make`, which returns a Result<TicketPtr>.
template <typename F>
bento_code give_ticket(bento_ticket** out, bento_error* error, F&& make) {
  return bentohost::answer_plugin(error, [&] {
    bentohost::Result<TicketPtr> ticket = make();
    if (!ticket.ok()) return std::move(ticket).take_status().as_misuse();
    *out = (*ticket).release();
    return Status();
  });
}

bento_code submit(bento_ctx* ctx, bento_str runner, bento_str method, const bento_value* const* in,
                  std::size_t n, bento_ticket** out, bento_error* error) {
  return give_ticket(out, error, [&] {
    return ctx->submit(to_view(runner), to_view(method), {in, n});
  });
}

bento_code give_results(const bentohost::Result<bento_ticket::Results>& results,
                        const bento_value* const** out, std::size_t* n, bento_error* error) {
  if (!results.ok()) {
    // Most often the answer is PENDING, which needs no message.
    if (results.status().code() == BENTO_PENDING) return BENTO_PENDING;
    return results.status().give(error);
  }
  *out = (*results).data();
  *n = (*results).size();
  return BENTO_OK;
}

bento_code wait(bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                bento_error* error) {
  return give_results(ticket->wait(), out, n, error);
}

bento_code next(bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                bento_error* error) {
  return give_results(ticket->next(), out, n, error);
}

std::int32_t when(bento_ticket* ticket, void (*wake)(void*), void* arg) {
  return ticket->when(wake, arg) ? 1 : 0;
}

bento_code after(bento_ctx* ctx, std::uint64_t ns, bento_ticket** out, bento_error* error) {
  return give_ticket(out, error, [&]() -> bentohost::Result<TicketPtr> {
    auto waiter = ctx->waiter();
    if (!waiter.ok()) return std::move(waiter).take_status();
    return make_timer(*std::move(waiter), std::chrono::steady_clock::now(), ns);
  });
}

bento_code promise(bento_ctx* ctx, bento_ticket** out, void** resolver, bento_error* error) {
  return give_ticket(out, error, [&]() -> bentohost::Result<TicketPtr> {
    auto waiter = ctx->waiter();
    if (!waiter.ok()) return std::move(waiter).take_status();
    return make_promise(*std::move(waiter), resolver);
  });
}

bento_code offload(bento_ctx* ctx, void (*work)(void*), void* arg, bento_ticket** out,
                   bento_error* error) {
  return give_ticket(out, error, [&] { return ctx->offload(work, arg); });
}

void release(bento_ticket* ticket) { ticket->release(); }

bento_code defer(bento_ctx* ctx, bento_code (*task)(void*, bento_ctx*, bento_error*), void* arg,
                 void (*drop)(void*), bento_error* error) {
  return ctx->defer(task, arg, drop).as_misuse().give(error);
}

bento_code defer_async(bento_ctx* ctx,
                       bento_code (*task)(void*, bento_ctx*, bento_done*, bento_error*), void* arg,
                       void (*drop)(void*), bento_error* error) {
  return ctx->defer_async(task, arg, drop).as_misuse().give(error);
}

bento_code set_route(bento_ctx* ctx, bento_str route, bento_error* error) {
  return ctx->set_route(to_view(route)).as_misuse().give(error);
}

LogLevel level_from_abi(std::int32_t level) {
  return static_cast<LogLevel>(
      std::clamp<std::int32_t>(level, 0, static_cast<int>(LogLevel::kError)));
}

}  // namespace

HostTable::HostTable(std::string version, std::string options_json, std::string plugin_dir,
                     LogSink log)
    : version_(std::move(version)),
      options_(std::move(options_json)),
      plugin_dir_(std::move(plugin_dir)),
      log_(std::move(log)) {
  bento_host& host = table_.host;
  table_.owner = this;
  host.size = sizeof host;
  host.abi_major = BENTO_ABI_MAJOR;
  host.abi_minor = BENTO_ABI_MINOR;
  host.version = to_bento(version_);
  host.options = to_bento(options_);
  host.plugin_dir = to_bento(plugin_dir_);
  host.log = &HostTable::log;
  host.scope = &scope;
  host.set_status = &set_status;
  host.add_header = &add_header;
  host.cancelled = &cancelled;
  host.submit = &submit;
  host.wait = &wait;
  host.release = &release;
  host.defer = &defer;
  host.set_route = &set_route;
  host.when = &when;
  host.next = &next;
  host.after = &after;
  host.promise = &promise;
  host.resolve = &resolve;
  host.offload = &offload;
  host.extension = &HostTable::extension;
  host.defer_async = &defer_async;
  host.caller = &caller;
}

void HostTable::offer_metrics(const bento_plugin_entry& entry, MetricsOutlet outlet) {
  if (is_of_release(entry, version_)) metrics_ = std::move(outlet);
}

void HostTable::offer_http_client(const bento_plugin_entry& entry) {
  has_http_client_ = is_of_release(entry, version_);
}

const void* HostTable::extension(const bento_host* host, const char* id) {
  const HostTable& self = owner_of(host);
  const std::string_view name = id == nullptr ? std::string_view() : id;
  if (name == BENTO_EXT_METRICS && self.metrics_.metrics != nullptr) return &metrics_table();
  if (name == BENTO_EXT_HTTP_CLIENT && self.has_http_client_) return &http_client_table();
  return nullptr;
}

void HostTable::set_options(std::string json) {
  options_ = std::move(json);
  table_.host.options = to_bento(options_);
}

void HostTable::set_instance(std::string name) {
  instance_ = std::move(name);
  table_.host.instance = to_bento(instance_);
}

void HostTable::log(const bento_host* host, bento_ctx* ctx, std::int32_t level, bento_str message,
                    bento_pairs fields) {
  std::vector<LogField> all;
  if (ctx != nullptr && !ctx->request_id().empty())
    all.emplace_back("request_id", ctx->request_id());
  for (std::size_t i = 0; i < fields.len; ++i) {
    all.emplace_back(to_view(fields.ptr[i].name), to_view(fields.ptr[i].value),
                     /*is_a_plugins=*/true);
  }
  owner_of(host).log_(level_from_abi(level), to_view(message), all);
}

}  // namespace bentohost::plugin
