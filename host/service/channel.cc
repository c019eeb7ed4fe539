#include "service/channel.h"

#include <utility>

#include "base/log.h"
#include "http/response_writer.h"
#include "http/syntax.h"

namespace bentohost::service {
namespace {

// What an asynchronous handler may send beyond the room that there is.
constexpr std::size_t kMaxExcess = 4u << 20;

// Without this a handler would go on streaming to a HEAD request while its connection is open.
Status bodiless() { return Status(BENTO_CANCELLED, "a response to HEAD has no body"); }

}  // namespace

Channel::Channel(RequestContext& request) : request_(request) {
  table_.owner = this;
  table_.channel.size = sizeof table_.channel;
  table_.channel.receive = &Channel::receive;
  table_.channel.send = &Channel::send;
  table_.channel.when = &Channel::when;
}

bento_code Channel::receive(bento_channel* channel, bento_event* out, bento_error* error) {
  return answer_plugin(error,
                       [&] { return reinterpret_cast<Table*>(channel)->owner->receive(*out); });
}

bento_code Channel::send(bento_channel* channel, const bento_event* event, bento_error* error) {
  Channel& self = *reinterpret_cast<Table*>(channel)->owner;
  return answer_plugin(error, [&] {
    if (event->type == BENTO_RESPONSE_START) return self.start(*event);
    if (event->type == BENTO_RESPONSE_BODY) return self.body(*event);
    return self.misuse("send takes BENTO_RESPONSE_START and BENTO_RESPONSE_BODY");
  });
}

std::int32_t Channel::when(bento_channel* channel, std::uint32_t what, void (*wake)(void*),
                           void* arg) {
  Channel& self = *reinterpret_cast<Table*>(channel)->owner;
  if (self.is_worth_asking(what)) return 0;
  (what == BENTO_CAN_RECEIVE ? self.receive_wake_ : self.send_wake_) = {wake, arg};
  self.request_.note_wait();
  return 1;
}

bool Channel::is_worth_asking(std::uint32_t what) {
  if (!is_async_ || state_ == State::kComplete || request_.is_cancelled()) return true;
  if (request_.async() == nullptr || !request_.async()->over().ok()) return true;
  if (what == BENTO_CAN_RECEIVE) return has_body_ended_ || look_ahead();
  return what != BENTO_CAN_SEND || state_ == State::kBodiless || request_.has_room();
}

// Whether receive() has something to return.
bool Channel::look_ahead() {
  if (ahead_) return true;
  auto piece = request_.receive();
  if (piece.ok() && piece->bytes.empty() && piece->more) return false;
  ahead_ = std::move(piece);
  return true;
}

plugin::Wake Channel::on_body() {
  if (!receive_wake_ || !look_ahead()) return {};
  return std::exchange(receive_wake_, {});
}

plugin::Wake Channel::on_over() {
  if (receive_wake_) return std::exchange(receive_wake_, {});
  return std::exchange(send_wake_, {});
}

Status Channel::misuse(std::string what) {
  Status status = Status(BENTO_FAILED_PRECONDITION, std::move(what)).as_misuse();
  if (misuse_.ok()) misuse_ = status;
  return status;
}

Status Channel::receive(bento_event& out) {
  const std::uint32_t size = out.size;
  out = bento_event{};
  out.size = size;
  out.type = BENTO_DISCONNECT;
  if (state_ == State::kComplete || request_.is_cancelled()) return {};
  if (has_body_ended_) {
    return Status(BENTO_FAILED_PRECONDITION, "the body has ended").as_misuse();
  }
  if (is_async_) {
    if (const auto* async = request_.async(); async != nullptr && !async->over().ok()) {
      return async->over();
    }
    if (!look_ahead()) return Status(BENTO_PENDING, {});
  }
  auto piece = ahead_ ? *std::exchange(ahead_, std::nullopt) : request_.receive();
  if (!piece.ok()) {
    has_body_ended_ = true;
    // A client that has left is an event, not a failure.
    return piece.status().code() == BENTO_CANCELLED ? Status() : std::move(piece).take_status();
  }
  piece_ = std::move(piece->bytes);
  has_body_ended_ = !piece->more;
  out.type = BENTO_REQUEST_BODY;
  out.more = piece->more ? 1 : 0;
  out.body = {piece_.data(), piece_.size()};
  return {};
}

Status Channel::start(const bento_event& event) {
  if (state_ != State::kNothing || (is_drafting_ && draft_)) {
    return misuse("the response was already started");
  }
  if (event.status < 200 || event.status > 599) {
    return misuse("status " + std::to_string(event.status) + " is not between 200 and 599");
  }
  http::Response response;
  response.status = static_cast<int>(event.status);
  for (std::size_t i = 0; i < event.headers.len; ++i) {
    const std::string_view name = to_view(event.headers.ptr[i].name);
    const std::string_view value = to_view(event.headers.ptr[i].value);
    if (Status status = http::check_header(name, value); !status.ok()) {
      return misuse(status.message());
    }
    if (http::equals_ignoring_case(name, "content-type")) {
      response.content_type = value;
    } else {
      response.headers.push_back({std::string(name), std::string(value)});
    }
  }
  if (is_drafting_) {
    draft_ = std::move(response);
    return {};
  }
  response_ = std::move(response);
  state_ = State::kHead;
  return {};
}

void Channel::begin_draft() {
  draft_.reset();
  is_draft_whole_ = false;
  is_drafting_ = true;
}

std::optional<http::Response> Channel::end_draft() {
  is_drafting_ = false;
  if (!is_draft_whole_) draft_.reset();
  return std::exchange(draft_, std::nullopt);
}

Status Channel::body(const bento_event& event) {
  if (!misuse_.ok()) return misuse_;
  if (!refused_.ok()) return refused_;
  const std::string_view bytes(static_cast<const char*>(event.body.ptr), event.body.len);
  const bool more = event.more != 0;
  if (is_drafting_) {
    if (!draft_ || is_draft_whole_) return misuse("a body before the start, or after the end");
    draft_->body.append(bytes);
    is_draft_whole_ = !more;
    return {};
  }
  switch (state_) {
    case State::kNothing:
      return misuse("a body before the response was started");
    case State::kComplete:
      return misuse("a body after the last one");
    case State::kHead: {
      response_.body = bytes;
      if (!more) {
        state_ = State::kComplete;
        request_.answer(std::move(response_));
        return {};
      }
      Status status = request_.start(std::move(response_));
      // The response could not be started: the request fails, whatever the handler sends now.
      if (status.code() == BENTO_UNAVAILABLE) {
        refused_ = status;
        return status;
      }
      if (!status.ok() && status.code() != BENTO_CANCELLED) {
        misuse_ = std::move(status).as_misuse();
        return misuse_;
      }
      state_ = request_.is_head() ? State::kBodiless : State::kStreaming;
      return state_ == State::kBodiless ? bodiless() : status;
    }
    case State::kBodiless:
      return more ? bodiless() : Status();
    case State::kStreaming:
      if (is_async_ && more) {
        if (Status status = room_for(bytes.size()); !status.ok()) return status;
      }
      if (!more) state_ = State::kComplete;
      return request_.write(bytes, more);
  }
  return {};
}

Status Channel::room_for(std::size_t bytes) {
  if (const auto* async = request_.async(); async != nullptr && !async->over().ok()) {
    return async->over();
  }
  if (request_.has_room()) {
    excess_ = 0;
    return {};
  }
  if (excess_ > kMaxExcess) {
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "the client has not taken what was sent: ask when(CAN_SEND) before more is sent");
  }
  excess_ += bytes;
  return {};
}

void Channel::finish(const Status& status, std::string_view who) {
  const auto failure = [&](const char* silence) {
    if (!refused_.ok()) return refused_;
    if (!misuse_.ok()) {
      return Status(BENTO_INTERNAL, std::string(who) + ": " + misuse_.message());
    }
    if (status.ok()) return Status(BENTO_INTERNAL, std::string(who) + silence);
    // Only the message of a 500 goes to the log; others go to the client.
    if (status.http_status() != 500) return status;
    return Status(status).prefixed(std::string(who) + ": ");
  };
  switch (std::exchange(state_, State::kComplete)) {
    case State::kComplete:
      // The response is complete: a later failure changes nothing.
      return;
    case State::kBodiless:
      (void)request_.write({}, false);
      return;
    case State::kStreaming:
      return request_.abort(failure(" returned before the end of its answer"));
    case State::kNothing:
      return request_.fail(failure(" returned without an answer"));
    case State::kHead:
      return request_.fail(failure(" returned before the end of its answer"));
  }
}

}  // namespace bentohost::service
