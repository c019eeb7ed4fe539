#include "service/request.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/response_writer.h"
#include "http/syntax.h"
#include "http/trace_context.h"
#include "plugin/tickets.h"
#include "service/fetch_ticket.h"

namespace bentohost::service {
namespace {

constexpr std::uint32_t kClientLeft = 499;  // http_from_code(BENTO_CANCELLED)

}  // namespace

RequestContext::RequestContext(RequestDeps& deps, TrackedExchange& tracked,
                               http::Exchange& exchange, std::shared_ptr<const void> outer)
    : deps_(deps),
      tracked_(tracked),
      exchange_(exchange),
      outer_(std::move(outer)),
      gone_(tracked.gone()),
      is_head_(request().method == "HEAD") {}

PluginCallNote RequestContext::note(std::string_view what) const {
  const http::Request& from = request();
  PluginCallNote call{{}, {}, what, from.method, from.path, request_id()};
  if (service_ == nullptr) return call;
  call.service = service_->spec().name;
  call.plugin = service_->instance().config().file.path;
  return call;
}

void RequestContext::set_path_params(const http::Parameters& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    path_params_.push_back({to_bento(parameters[i].name), to_bento(parameters[i].value)});
  }
}

Result<http::ReceivedBody> RequestContext::receive() { return exchange_.receive(); }

// Adds the status and headers that the handler has set.
void RequestContext::add_set(http::Response& response) {
  if (status_ != 0) response.status = status_;
  for (http::Header& header : headers_) response.headers.push_back(std::move(header));
}

void RequestContext::answer(http::Response&& response) {
  add_set(response);
  respond(std::move(response));
}

Status RequestContext::as_answer(const Status& status) const {
  if (status.http_status() != kClientLeft || is_cancelled()) return status;
  if (deps_.draining.load()) return Status(BENTO_UNAVAILABLE, "the server is shutting down");
  if (deps_.clock.now() >= tracked_.deadline()) {
    return Status(BENTO_DEADLINE_EXCEEDED, "the request's deadline has passed");
  }
  return Status(BENTO_INTERNAL, "cancelled, but not by its client: " + status.message());
}

void RequestContext::fail(const Status& original, http::Headers headers) {
  const Status status = as_answer(original);
  const auto code = static_cast<int>(status.http_status());
  if (code < 500) return fail(code, status.message(), std::move(headers));
  // When another response was sent first, its failure is in the log already.
  if (!tracked_.has_answer()) {
    log(code == 500 ? LogLevel::kError : LogLevel::kWarning, status.message(),
        {{"status", code}, {"path", request().path}, {"request_id", request_id()}});
  }
  http::Response response = problem_of(status, request().path);
  for (http::Header& header : headers) {
    std::erase_if(response.headers, [&header](const http::Header& own) {
      return http::equals_ignoring_case(own.name, header.name);
    });
    response.headers.push_back(std::move(header));
  }
  respond(std::move(response));
}

http::Response RequestContext::problem_of(const Status& status, std::string_view path) const {
  const auto code = static_cast<int>(status.http_status());
  // The message of a 500 is the plugin's own, which strangers must not read. Messages of the other
  // 5xx are the host's, and tell a client whether to try again.
  const bool secret = code == 500 && !deps_.debug;
  http::Response response = http::problem(
      code,
      secret ? "the service failed on this request; its log says why, under the request id"
             : status.message(),
      path, request_id());
  if (code >= 500) response.failure = std::make_shared<const Status>(status);
  return response;
}

void RequestContext::fail(int http_status, std::string_view detail, http::Headers headers) {
  http::Response response = http::problem(http_status, detail, request().path, request_id());
  for (http::Header& header : headers) response.headers.push_back(std::move(header));
  if (http_status == 401) keep_own("www-authenticate", response);
  if (http_status == 405) keep_own("allow", response);
  respond(std::move(response));
}

// The headers that a handler has set are dropped with its response, except the one that belongs to
// the error: WWW-Authenticate with 401, and Allow with 405 (RFC 9110 15.5.2 and 15.5.6).
void RequestContext::keep_own(std::string_view name, http::Response& response) const {
  const auto is_it = [name](const http::Header& header) {
    return http::equals_ignoring_case(header.name, name);
  };
  if (std::none_of(headers_.begin(), headers_.end(), is_it)) return;
  std::erase_if(response.headers, is_it);
  std::copy_if(headers_.begin(), headers_.end(), std::back_inserter(response.headers), is_it);
}

void RequestContext::respond(http::Response&& response) {
  if (amend_) amend_(response);
  has_ended_ = true;
  exchange_.respond(std::move(response));
}

void RequestContext::give_up(const Status& why) {
  if (has_ended_) {
    return log_error("failed after the response was sent: " + why.message(),
                     {{"path", request().path}, {"request_id", request_id()}});
  }
  if (is_streaming_) return abort(why);
  fail(why);
}

Status RequestContext::start(http::Response response) {
  if (Status status = tracked_.begin_stream(); !status.ok()) return status;
  add_set(response);
  Status status = exchange_.start(std::move(response));
  is_streaming_ = status.ok() || status.code() == BENTO_CANCELLED;
  return status;
}

Status RequestContext::write(std::string_view bytes, bool more) {
  has_ended_ = !more;
  return exchange_.write(bytes, more);
}

void RequestContext::abort(const Status& why) {
  // That it was cancelled is no failure of the handler.
  if (why.code() == BENTO_CANCELLED && (is_cancelled() || deps_.draining.load())) {
    tracked_.note_cancelled();
  }
  log(tracked_.was_cancelled() ? LogLevel::kDebug : LogLevel::kError,
      "a streamed response could not be completed: " + why.message(),
      {{"path", request().path}, {"request_id", request_id()}});
  has_ended_ = true;
  exchange_.abort();
}

const bento_scope* RequestContext::scope() {
  if (!scope_.is_filled()) {
    scope_.fill(request(), root_path_, request_id(), tracked_.deadline(),
                {path_params_.data(), path_params_.size()});
  }
  return scope_.abi();
}

Status RequestContext::set_status(std::uint32_t status) {
  if (status < 200 || status > 599) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "status " + std::to_string(status) + " is not between 200 and 599");
  }
  status_ = static_cast<int>(status);
  return {};
}

Status RequestContext::add_header(std::string_view name, std::string_view value) {
  if (Status status = http::check_header(name, value); !status.ok()) return status;
  headers_.push_back({std::string(name), std::string(value)});
  return {};
}

Status RequestContext::set_route(std::string_view route) {
  if (labels_ == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION, "only a mounted app can set a route");
  }
  const RouteLabel* label = labels_->get_below(*mount_, route);
  if (label == nullptr) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "a route is /SEGMENTS of visible characters, 256 bytes at most");
  }
  tracked_.set_label(label);
  return {};
}

bool RequestContext::cancelled() const {
  if (is_cancelled()) return true;
  if (is_streaming_) return is_head_ || deps_.draining.load();
  return deps_.clock.now() >= tracked_.deadline();
}

Result<plugin::TicketPtr> RequestContext::submit(std::string_view runner, std::string_view method,
                                                 std::span<const bento_value* const> inputs) {
  if (!may_call_) {
    return Status(BENTO_FAILED_PRECONDITION, "a quick handler or a hook cannot call runners: " +
                                                 std::string(runner) + "." + std::string(method));
  }
  if (service_ == nullptr) return Status(BENTO_NOT_FOUND, "there are no runners here");
  if (async_ != nullptr && !async_->over().ok()) return async_->over();
  auto target = service_->runners().find(runner, method);
  if (!target.ok()) return std::move(target).take_status();
  return runner::Client::submit(*target, inputs, wanted(), async_);
}

runner::Client::CallLimits RequestContext::wanted() const {
  return {is_streaming_ ? deps_.clock.now() + deps_.timeout : tracked_.deadline(), gone_,
          request_id(), http::traceparent(request().headers)};
}

Result<plugin::Waiter> RequestContext::waiter() {
  if (!may_call_) {
    return Status(BENTO_FAILED_PRECONDITION, "a quick handler or a hook cannot wait for anything");
  }
  if (async_ == nullptr) {
    return plugin::Waiter{nullptr, is_streaming_ ? kNoDeadline : tracked_.deadline(), gone_};
  }
  if (!async_->over().ok()) return async_->over();
  return plugin::Waiter{async_, kNoDeadline, {}};
}

Result<plugin::TicketPtr> RequestContext::offload(void (*work)(void*), void* arg) {
  // The work may outlive the request, but not the plugin.
  struct Work {
    ~Work() {
      if (service != nullptr) service->leases.fetch_sub(1, std::memory_order_relaxed);
    }
    std::shared_ptr<const LiveService> service;
    std::string method, path, request_id;
    PluginCallNote note;
  };
  if (async_ == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION,
                  "offload: only an asynchronous function needs it; this one may wait itself");
  }
  if (!async_->over().ok()) return async_->over();
  if (is_cancelled()) return Status(BENTO_CANCELLED, "the client is gone");
  if (deps_.threads == nullptr) return Status(BENTO_UNAVAILABLE, "there are no threads here");
  const auto held = std::make_shared<Work>();
  held->service = service_;
  held->service->leases.fetch_add(1, std::memory_order_relaxed);
  held->method = request().method;
  held->path = request().path;
  held->request_id = request_id();
  held->note = note(current_call == nullptr ? std::string_view("offload") : current_call->what);
  held->note.method = held->method;
  held->note.path = held->path;
  held->note.request_id = held->request_id;
  return plugin::offload(plugin::Waiter{async_, kNoDeadline, {}}, *deps_.threads,
                         [held, work, arg] {
                           const CallScope scope(held->note);
                           work(arg);
                         });
}

Result<plugin::TicketPtr> RequestContext::fetch(const bento_fetch& asked) {
  auto its_waiter = waiter();
  if (!its_waiter.ok()) return std::move(its_waiter).take_status();
  if (is_cancelled()) return Status(BENTO_CANCELLED, "the client is gone");
  FetchSource source{deps_.http_client, &deps_.metrics, &deps_.clock};
  source.service = service_ == nullptr ? std::string_view() : service_->spec().name;
  source.request_id = request_id();
  source.traceparent = http::traceparent(request().headers);
  source.deadline = is_streaming_ ? kNoDeadline : tracked_.deadline();
  return start_fetch(source, *std::move(its_waiter), asked);
}

Status RequestContext::defer(bento_code (*task)(void*, bento_ctx*, bento_error*), void* arg,
                             void (*drop)(void*)) {
  return defer_task({task, nullptr, arg, drop});
}

Status RequestContext::defer_async(bento_code (*task)(void*, bento_ctx*, bento_done*, bento_error*),
                                   void* arg, void (*drop)(void*)) {
  return defer_task({nullptr, task, arg, drop});
}

Status RequestContext::defer_task(const BackgroundTask& task) {
  if (has_ended_) {
    return Status(BENTO_FAILED_PRECONDITION, "the response has ended: defer a task before that");
  }
  if (service_ == nullptr) return Status(BENTO_FAILED_PRECONDITION, "there is no service here");
  return tracked_.defer(service_, task);
}

}  // namespace bentohost::service
