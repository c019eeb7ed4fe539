#include "service/middleware/hooked_exchange.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/response_writer.h"
#include "http/syntax.h"
#include "service/middleware/buffered_exchange.h"

namespace bentohost::service {
namespace {

constexpr int kSwitchingProtocols = 101;

Status misuse(const char* what) { return Status(BENTO_FAILED_PRECONDITION, what); }

Status not_a_header(std::string_view name) {
  return Status(BENTO_INVALID_ARGUMENT,
                "header \"" + std::string(name) +
                    "\" is not allowed: names have letters, digits and -; values no line breaks");
}

http::Response response_of(const bento_event& event) {
  http::Response response;
  response.status = static_cast<int>(event.status);
  for (std::size_t i = 0; i < event.headers.len; ++i) {
    const std::string_view name = to_view(event.headers.ptr[i].name);
    const std::string_view value = to_view(event.headers.ptr[i].value);
    if (http::equals_ignoring_case(name, "content-type")) {
      response.content_type = value;
    } else {
      response.headers.push_back({std::string(name), std::string(value)});
    }
  }
  if (event.body.len != 0) {
    response.body.assign(static_cast<const char*>(event.body.ptr), event.body.len);
  }
  return response;
}

}  // namespace

HookedExchange::HookedExchange(RequestDeps& deps, TrackedExchange& tracked,
                               http::Exchange& exchange, std::shared_ptr<const void> keep,
                               const std::vector<Middleware>& row,
                               const std::shared_ptr<const LiveService>& service)
    : ExchangeDecorator(exchange),
      tracked_(tracked),
      keep_(std::move(keep)),
      row_(row),
      root_path_(service == nullptr ? std::string_view() : service->prefix()),
      context_(deps, tracked, exchange),
      states_(row.size(), nullptr),
      is_outermost_(&exchange == &tracked) {
  static const bento_exchange kTable = make_exchange();
  context_.set_service(service, root_path_);
  context_.forbid_calls();
  table_.owner = this;
  table_.exchange = kTable;
  table_.exchange.ctx = &context_;
}

HookedExchange::~HookedExchange() { end(); }

bento_exchange HookedExchange::make_exchange() {
  bento_exchange table{};
  table.size = sizeof table;
  // As with the host table's functions, a call that is refused is the plugin's mistake.
  table.set = [](bento_exchange* e, bento_str what, bento_str value, bento_error* error) {
    return of(e).set(to_view(what), to_view(value)).as_misuse().give(error);
  };
  table.set_header = [](bento_exchange* e, bento_str name, bento_str value, bento_error* error) {
    return of(e).set_header(to_view(name), value).as_misuse().give(error);
  };
  table.set_body = [](bento_exchange* e, bento_bytes bytes, bento_error* error) {
    return answer_plugin(error, [&] {
      return of(e).set_body({static_cast<const char*>(bytes.ptr), bytes.len}).as_misuse();
    });
  };
  table.limit_body = [](bento_exchange* e, std::uint64_t bytes, bento_error* error) {
    return of(e).limit_body(bytes).as_misuse().give(error);
  };
  table.set_deadline = [](bento_exchange* e, std::uint64_t deadline, bento_error* error) {
    return of(e).set_deadline(deadline).as_misuse().give(error);
  };
  table.answer = [](bento_exchange* e, const bento_event* event, bento_error* error) {
    return answer_plugin(error, [&] { return of(e).answer(*event).as_misuse(); });
  };
  table.response_header = [](bento_exchange* e, bento_str name, std::size_t nth) {
    return of(e).response_header(to_view(name), nth);
  };
  table.set_response_header = [](bento_exchange* e, bento_str name, bento_str value,
                                 bento_error* error) {
    return of(e).set_response_header(to_view(name), value, true).as_misuse().give(error);
  };
  table.add_response_header = [](bento_exchange* e, bento_str name, bento_str value,
                                 bento_error* error) {
    return of(e).set_response_header(to_view(name), value, false).as_misuse().give(error);
  };
  return table;
}

Status HookedExchange::call(std::size_t index, Hook hook) {
  table_.exchange.state = states_[index];
  Status status = call_plugin(note(index), [&](bento_error* error) {
    return hook(row_[index].self, row_[index].abi, &table_.exchange, error);
  });
  states_[index] = table_.exchange.state;
  return status;
}

PluginCallNote HookedExchange::note(std::size_t index) const {
  PluginCallNote call = context_.note(row_[index].what);
  call.plugin = row_[index].plugin;
  return call;
}

// Logs the failure; the caller decides how to answer it.
Status HookedExchange::fail(std::size_t index, const Status& status) {
  log_error(row_[index].what + " failed: " + status.message(),
            {{"path", outer().request().path}, {"request_id", tracked_.request_id()}});
  return status;
}

bool HookedExchange::enter(bool streamed) {
  const bool has_end = std::any_of(row_.begin(), row_.end(), [](const Middleware& middleware) {
    return middleware.abi->on_end != nullptr;
  });
  if (has_end) outer().after_sent([self = shared_from_this()] { self->end(); });
  at_ = At::kRequest;
  table_.exchange.streamed = streamed ? 1 : 0;
  refresh_scope();
  for (; entered_ < row_.size(); passed_ = entered_) {
    const std::size_t index = entered_++;
    const Hook hook = row_[index].abi->on_request;
    if (hook == nullptr) continue;
    table_.exchange.body = {request().body.data(), request().body.size()};
    Status status = call(index, hook);
    if (status.ok() && !answer_) continue;
    at_ = At::kElsewhere;
    if (!status.ok()) {
      refuse(status.http_status() < 500 ? status : fail(index, status));
    } else {
      respond(*std::exchange(answer_, std::nullopt));
    }
    return false;
  }
  at_ = At::kElsewhere;
  if (is_outermost_) {
    // The handler may return meanwhile, on its thread, and release this exchange.
    tracked_.show_late_to([weak = weak_from_this()](http::Response& response) {
      if (const auto self = weak.lock()) (void)self->show_response(response, false);
    });
  }
  return true;
}

// Answers with the hook's error; the middleware outside of it sees the response.
void HookedExchange::refuse(const Status& status) {
  respond(context_.problem_of(context_.as_answer(status), request().path));
}

std::string HookedExchange::take_body() {
  return edited_ ? std::move(edited_->body) : outer().take_body();
}

// The hooks see one response. The loop may answer in place of a handler on a thread: the first of
// the two claims the request, and then has the hooks to itself.
bool HookedExchange::begin_answer() {
  is_late_ = is_late_ || (is_outermost_ && !tracked_.begin_answer());
  return !is_late_;
}

void HookedExchange::respond(http::Response&& response) {
  if (begin_answer()) (void)show_response(response, false);
  outer().respond(std::move(response));
}

Status HookedExchange::start(http::Response response) {
  if (!begin_answer()) return outer().start(std::move(response));
  is_tunnel_ = response.status == kSwitchingProtocols;
  Status status = show_response(response, true);
  if (status.ok()) return outer().start(std::move(response));
  if (is_outermost_) tracked_.take_back_answer();
  return status;
}

Status HookedExchange::write(std::string_view bytes, bool more) {
  if (is_late_ || is_tunnel_) return outer().write(bytes, more);
  if (!is_aborted_ && show_piece(bytes, more).ok()) return outer().write(bytes, more);
  // Not before the last piece: until then the handler may read the request.
  is_aborted_ = true;
  if (!more) outer().abort();
  return Status(BENTO_CANCELLED, "the answer is cut off");
}

// From the innermost hook out. When a hook fails, a whole response becomes a 500, which the other
// hooks see; a streamed one is refused.
Status HookedExchange::show_response(http::Response& response, bool more) {
  table_.exchange.more = more ? 1 : 0;
  for (std::size_t index = passed_; index-- > 0;) {
    const Hook hook = row_[index].abi->on_response;
    if (hook == nullptr) continue;
    at_ = At::kResponse;
    response_ = &response;
    table_.exchange.status = static_cast<std::uint32_t>(response.status);
    table_.exchange.body = {response.body.data(), response.body.size()};
    Status status = call(index, hook);
    at_ = At::kElsewhere;
    response_ = nullptr;
    const bool is_kept = table_.exchange.status == static_cast<std::uint32_t>(response.status);
    if (status.ok() && !is_kept && (table_.exchange.status < 200 || table_.exchange.status > 599)) {
      status = misuse("a status is between 200 and 599");
    }
    if (status.ok()) {
      response.status = static_cast<int>(table_.exchange.status);
      if (std::exchange(has_piece_, false)) response.body.swap(piece_);
      continue;
    }
    has_piece_ = false;
    passed_ = index;
    (void)fail(index, status);
    if (more) return Status(BENTO_INTERNAL, row_[index].what + " failed: " + status.message());
    response = context_.problem_of(Status(BENTO_INTERNAL, status.message()), request().path);
  }
  return {};
}

Status HookedExchange::show_piece(std::string_view& bytes, bool more) {
  table_.exchange.more = more ? 1 : 0;
  for (std::size_t index = passed_; index-- > 0;) {
    const Hook hook = row_[index].abi->on_body;
    if (hook == nullptr) continue;
    at_ = At::kBody;
    table_.exchange.body = {bytes.data(), bytes.size()};
    const Status status = call(index, hook);
    at_ = At::kElsewhere;
    const bool is_changed = std::exchange(has_piece_, false);
    if (!status.ok()) return fail(index, status);
    if (!is_changed) continue;
    passing_.swap(piece_);
    bytes = passing_;
  }
  return {};
}

Result<http::ReceivedBody> HookedExchange::receive() {
  if (is_tunnel_) return outer().receive();
  if (table_.exchange.streamed == 0) return http::ReceivedBody{take_body(), false};
  auto piece = outer().receive();
  if (!piece.ok()) return piece;
  received_ += piece->bytes.size();
  if (received_ <= max_body_) return piece;
  return body_too_long(max_body_);
}

void HookedExchange::end() {
  context_.set_ended();
  table_.exchange.scope = nullptr;
  table_.exchange.body = {};
  for (std::size_t index = std::exchange(entered_, 0); index-- > 0;) {
    const auto on_end = row_[index].abi->on_end;
    if (on_end == nullptr) continue;
    table_.exchange.state = states_[index];
    const PluginCallNote call = note(index);
    const CallScope scope(call);
    on_end(row_[index].self, row_[index].abi, &table_.exchange);
  }
}

// ---- called by the hooks ----------------------------------------------------------------------

// A copy, because the outer request belongs to the connection or to another layer.
http::Request& HookedExchange::edit() {
  if (!edited_) {
    std::string body = outer().take_body();
    edited_ = std::make_unique<http::Request>(outer().request());
    edited_->body = std::move(body);
  }
  return *edited_;
}

void HookedExchange::refresh_scope() {
  scope_.fill(request(), root_path_, tracked_.request_id(), tracked_.deadline());
  table_.exchange.scope = scope_.abi();
}

Status HookedExchange::set(std::string_view what, std::string_view value) {
  if (at_ != At::kRequest) return misuse("the request can be changed only in on_request");
  if (what == "path") {
    if (!value.starts_with('/')) return Status(BENTO_INVALID_ARGUMENT, "a path must begin with /");
    edit().path = value;
  } else if (what == "method") {
    if (!http::is_token(value)) return Status(BENTO_INVALID_ARGUMENT, "a method is a token");
    edit().method = value;
  } else if (what == "query") {
    if (!http::is_visible(value)) {
      return Status(BENTO_INVALID_ARGUMENT, "a query has no blanks and no control bytes");
    }
    edit().query = value;
  } else if (what == "client") {
    if (!http::is_visible(value)) {
      return Status(BENTO_INVALID_ARGUMENT, "a client's address has no blanks or control bytes");
    }
    edit().client = value;
  } else if (what == "scheme") {
    if (value != "http" && value != "https") {
      return Status(BENTO_INVALID_ARGUMENT, "a scheme must be http or https");
    }
    edit().scheme = value == "https" ? "https" : "http";
  } else {
    return Status(BENTO_INVALID_ARGUMENT, "a request has no \"" + std::string(what) + "\"");
  }
  refresh_scope();
  return {};
}

Status HookedExchange::set_header(std::string_view name, bento_str value) {
  if (at_ != At::kRequest) return misuse("the request can be changed only in on_request");
  std::string lower;
  if (!http::append_lower_token(name, lower) || !http::is_field_value(to_view(value))) {
    return not_a_header(name);
  }
  http::Headers& headers = edit().headers;
  std::erase_if(headers, [&](const http::Header& header) { return header.name == lower; });
  if (value.ptr != nullptr) {
    headers.push_back({std::move(lower), std::string(to_view(value))});
  }
  refresh_scope();
  return {};
}

Status HookedExchange::set_body(std::string_view bytes) {
  switch (at_) {
    case At::kRequest:
      if (table_.exchange.streamed != 0) return misuse("a streamed body cannot be set");
      edit().body = bytes;
      refresh_scope();
      return {};
    case At::kResponse:
    case At::kBody:
      piece_ = bytes;
      has_piece_ = true;
      return {};
    case At::kElsewhere:
      break;
  }
  return misuse("a body can be changed only in a hook");
}

Status HookedExchange::limit_body(std::uint64_t bytes) {
  if (at_ != At::kRequest) return misuse("the body can be limited only in on_request");
  max_body_ = std::min(max_body_, bytes);
  if (request().body.size() <= max_body_) return {};
  return body_too_long(max_body_);
}

Status HookedExchange::set_deadline(std::uint64_t deadline_ns) {
  if (at_ != At::kRequest) return misuse("the deadline can be set only in on_request");
  tracked_.tighten_deadline(deadline_ns);
  refresh_scope();
  return {};
}

Status HookedExchange::answer(const bento_event& event) {
  if (at_ != At::kRequest) return misuse("a hook can answer only in on_request");
  if (answer_) return misuse("it was answered already");
  if (event.status < 200 || event.status > 599) return misuse("a status is between 200 and 599");
  http::Response answer = response_of(event);
  if (Status status = http::check_sendable(answer); !status.ok()) return status;
  answer_ = std::move(answer);
  return {};
}

bento_str HookedExchange::response_header(std::string_view name, std::size_t nth) {
  if (at_ != At::kResponse) return {};
  if (http::equals_ignoring_case(name, "content-type")) {
    return nth == 0 && !response_->content_type.empty() ? to_bento(response_->content_type)
                                                        : bento_str{};
  }
  for (const http::Header& header : response_->headers) {
    if (http::equals_ignoring_case(header.name, name) && nth-- == 0) return to_bento(header.value);
  }
  return {};
}

Status HookedExchange::set_response_header(std::string_view name, bento_str value, bool in_place) {
  if (at_ != At::kResponse) return misuse("response headers can be changed only in on_response");
  if (Status status = http::check_header(name, to_view(value)); !status.ok()) return status;
  if (http::equals_ignoring_case(name, "content-type")) {
    response_->content_type = value.ptr == nullptr ? std::string_view() : to_view(value);
    return {};
  }
  if (in_place) {
    std::erase_if(response_->headers, [&](const http::Header& header) {
      return http::equals_ignoring_case(header.name, name);
    });
  }
  if (value.ptr != nullptr) {
    response_->headers.push_back({std::string(name), std::string(to_view(value))});
  }
  return {};
}

}  // namespace bentohost::service
