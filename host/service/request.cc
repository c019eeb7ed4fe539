#include "service/request.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "base/log.h"
#include "http/problem.h"

namespace bentohost::service {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014), seeded by the system for each thread: ids need to be
// unlikely to repeat, not unguessable.
std::uint64_t next_id() {
  thread_local std::uint64_t state = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) ^ device();
  }();
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::string hex16(std::uint64_t value) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4) {
    *digit = "0123456789abcdef"[value & 15];
  }
  return text;
}

// A client's id is taken over when it is short and can neither break a log line nor a header.
bool is_usable_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool is_header_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

RequestContext::RequestContext(Environment& environment, http::Exchange& exchange)
    : environment_(environment),
      exchange_(exchange),
      deadline_(request().arrived + environment.timeout),
      gone_(exchange.gone()),
      is_head_(request().method == "HEAD") {
  const std::string_view given = http::find_header(request().headers, "x-request-id");
  request_id_ = is_usable_id(given) ? std::string(given) : hex16(next_id());
}

void RequestContext::set_path_params(const http::Parameters& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    path_params_.push_back({to_bento(parameters[i].name), to_bento(parameters[i].value)});
  }
}

void RequestContext::set_service(const LiveService* service) {
  service_ = service;
  environment_.in_flight.fetch_add(1);
}

Result<http::ReceivedBody> RequestContext::receive() { return exchange_.receive(); }

void RequestContext::answer(http::Response response) {
  if (status_ != 0) response.status = status_;
  for (http::Header& header : headers_) response.headers.push_back(std::move(header));
  send(std::move(response));
}

void RequestContext::fail(const Status& status) {
  const auto code = static_cast<int>(status.http_status());
  if (code < 500) return fail(code, status.message());
  log(code == 500 ? LogLevel::kError : LogLevel::kWarning, status.message(),
      {{"status", std::to_string(code)}, {"path", request().path}, {"request_id", request_id_}});
  // A 500 is a plugin's failure in its own words, which are not for strangers. The other 5xx are
  // the host's words, and tell a client whether to try again.
  const bool secret = code == 500 && !environment_.debug;
  fail(code, secret ? "the service failed on this request; its log says why, under the request id"
                    : status.message());
}

void RequestContext::fail(int http_status, std::string_view detail, http::Headers headers) {
  http::Response response = http::problem(http_status, detail, request().path, request_id_);
  for (http::Header& header : headers) response.headers.push_back(std::move(header));
  send(std::move(response));
}

void RequestContext::send(http::Response response) {
  add_own_headers(response);
  note_end(response.status, response.body.size());
  exchange_.respond(std::move(response));
}

Status RequestContext::start(http::Response response) {
  if (status_ != 0) response.status = status_;
  for (http::Header& header : headers_) response.headers.push_back(std::move(header));
  add_own_headers(response);
  streamed_status_ = response.status;
  streamed_bytes_ = response.body.size();
  Status status = exchange_.start(std::move(response));
  is_streaming_ = status.ok() || status.code() == BENTO_CANCELLED;
  return status;
}

Status RequestContext::write(std::string_view bytes, bool more) {
  streamed_bytes_ += bytes.size();
  if (!more) note_end(streamed_status_, streamed_bytes_);
  return exchange_.write(bytes, more);
}

void RequestContext::cut(const Status& why) {
  log_error("a streamed answer could not be completed: " + why.message(),
            {{"path", request().path}, {"request_id", request_id_}});
  note_end(streamed_status_, streamed_bytes_);
  exchange_.cut();
}

void RequestContext::add_own_headers(http::Response& response) {
  response.headers.push_back({"X-Request-Id", request_id_});
}

// Before the exchange is: then its request may be gone.
void RequestContext::note_end(int status, std::size_t response_bytes) {
  const http::Request& from = request();
  const Duration took = environment_.clock.now() - from.arrived;
  metrics_->observe(from.method, status, took, from.body_bytes, response_bytes);
  if (environment_.access_log != nullptr) {
    environment_.access_log->write({from.client, from.method, from.path, route_, request_id_,
                                    status, from.body_bytes, response_bytes, took});
  }
  environment_.metrics.in_flight().Decrement();
  if (service_ != nullptr) environment_.in_flight.fetch_sub(1);
}

const bento_scope* RequestContext::scope() {
  if (scope_.size != 0) return &scope_;
  const http::Request& from = request();
  for (const http::Header& header : from.headers) {
    scope_headers_.push_back({to_bento(header.name), to_bento(header.value)});
  }
  scope_.kind = 1;
  scope_.scheme = to_bento(from.scheme);
  scope_.method = to_bento(from.method);
  scope_.path = to_bento(from.path);
  scope_.root_path = to_bento(service_ != nullptr ? std::string_view(service_->prefix()) : "");
  scope_.query = to_bento(from.query);
  scope_.http_version = to_bento(from.version);
  scope_.client = to_bento(from.client);
  scope_.server = to_bento(from.server);
  scope_.request_id = to_bento(request_id_);
  scope_.headers = {scope_headers_.data(), scope_headers_.size()};
  scope_.deadline_ns = static_cast<std::uint64_t>(deadline_.time_since_epoch().count());
  scope_.path_params = {path_params_.data(), path_params_.size()};
  scope_.size = sizeof scope_;
  return &scope_;
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
  if (name.empty() || !is_header_safe(name) || !is_header_safe(value) ||
      name.find_first_of(": \t") != std::string_view::npos) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "header \"" + std::string(name) +
                      "\": a name without blanks and colons, and no line breaks");
  }
  headers_.push_back({std::string(name), std::string(value)});
  return {};
}

bool RequestContext::cancelled() const {
  if (is_gone()) return true;
  if (is_streaming_) return is_head_ || environment_.draining.load();
  return environment_.clock.now() >= deadline_;
}

Result<std::unique_ptr<bento_ticket>> RequestContext::submit(
    std::string_view runner, std::string_view method, std::span<const bento_value* const> inputs) {
  if (!may_call_) {
    return Status(BENTO_FAILED_PRECONDITION, "a quick handler calls no runners: " +
                                                 std::string(runner) + "." + std::string(method));
  }
  auto target = service_->runners().find(runner, method);
  if (!target.ok()) return std::move(target).take_status();
  return runner::Client::submit(*target, inputs, wanted());
}

}  // namespace bentohost::service
