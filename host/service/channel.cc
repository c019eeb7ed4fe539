#include "service/channel.h"

#include <cctype>
#include <utility>

#include "base/log.h"

namespace bentohost::service {
namespace {

// Else a handler would stream for as long as a client that wants no body keeps its connection.
Status bodiless() { return Status(BENTO_CANCELLED, "a response to HEAD has no body"); }

Status misuse(const char* what) { return Status(BENTO_FAILED_PRECONDITION, what); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

Channel::Channel(RequestContext& request) : request_(request) {
  table_.owner = this;
  table_.channel.size = sizeof table_.channel;
  table_.channel.receive = &Channel::receive;
  table_.channel.send = &Channel::send;
}

bento_code Channel::receive(bento_channel* channel, bento_event* out, bento_error* error) {
  return reinterpret_cast<Table*>(channel)->owner->receive(*out).give(error);
}

bento_code Channel::send(bento_channel* channel, const bento_event* event, bento_error* error) {
  Channel& self = *reinterpret_cast<Table*>(channel)->owner;
  if (event->type == BENTO_RESPONSE_START) return self.start(*event).give(error);
  if (event->type == BENTO_RESPONSE_BODY) return self.body(*event).give(error);
  return misuse("send takes BENTO_RESPONSE_START and BENTO_RESPONSE_BODY").give(error);
}

Status Channel::receive(bento_event& out) {
  const std::uint32_t size = out.size;
  out = bento_event{};
  out.size = size;
  out.type = BENTO_DISCONNECT;
  if (state_ == State::kComplete || request_.is_gone()) return {};
  if (has_body_ended_) return misuse("the body has ended");
  auto piece = request_.receive();
  if (!piece.ok()) {
    has_body_ended_ = true;
    // That the client is gone is an event, not a failure.
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
  if (state_ != State::kNothing) return misuse("the response was already started");
  if (event.status < 200 || event.status > 599) return misuse("a status is between 200 and 599");
  http::Response response;
  response.status = static_cast<int>(event.status);
  for (std::size_t i = 0; i < event.headers.len; ++i) {
    const std::string name = lower(to_view(event.headers.ptr[i].name));
    const std::string_view value = to_view(event.headers.ptr[i].value);
    if (name == "content-type") {
      response.content_type = value;
    } else {
      response.headers.push_back(
          {std::string(to_view(event.headers.ptr[i].name)), std::string(value)});
    }
  }
  response_ = std::move(response);
  state_ = State::kHead;
  return {};
}

Status Channel::body(const bento_event& event) {
  const std::string_view bytes(static_cast<const char*>(event.body.ptr), event.body.len);
  const bool more = event.more != 0;
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
      // What could not be started can still be answered otherwise.
      if (!status.ok() && status.code() != BENTO_CANCELLED) return status;
      state_ = request_.is_head() ? State::kBodiless : State::kStreaming;
      return state_ == State::kBodiless ? bodiless() : status;
    }
    case State::kBodiless:
      return more ? bodiless() : Status();
    case State::kStreaming:
      if (!more) state_ = State::kComplete;
      return request_.write(bytes, more);
  }
  return {};
}

void Channel::finish(const Status& status) {
  const std::string_view missing =
      state_ == State::kNothing ? "the handler returned without an answer"
      : state_ == State::kHead  ? "the handler returned before the end of its answer"
                                : std::string_view();
  switch (state_) {
    case State::kComplete:
      // Its answer is out: what it fails with afterwards is for the log alone.
      return;
    case State::kBodiless:
      state_ = State::kComplete;
      (void)request_.write({}, false);
      return;
    case State::kStreaming:
      state_ = State::kComplete;
      return request_.cut(status.ok() ? misuse("the handler returned before the end of its answer")
                                      : status);
    case State::kNothing:
    case State::kHead:
      state_ = State::kComplete;
      return request_.fail(status.ok() ? Status(BENTO_INTERNAL, std::string(missing)) : status);
  }
}

}  // namespace bentohost::service
