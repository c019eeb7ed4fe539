#include "service/buffered_channel.h"

#include <cctype>
#include <utility>

namespace bentohost::service {
namespace {

Status misuse(const char* what) { return Status(BENTO_FAILED_PRECONDITION, what); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

BufferedChannel::BufferedChannel(const http::Request& request) : request_(request) {
  table_.owner = this;
  table_.channel.size = sizeof table_.channel;
  table_.channel.receive = &BufferedChannel::receive;
  table_.channel.send = &BufferedChannel::send;
}

bento_code BufferedChannel::receive(bento_channel* channel, bento_event* out, bento_error*) {
  BufferedChannel& self = *reinterpret_cast<Table*>(channel)->owner;
  const std::uint32_t size = out->size;
  *out = bento_event{};
  out->size = size;
  // After the body there is nothing more to hear but that the client is gone.
  out->type = self.received_ ? BENTO_DISCONNECT : BENTO_REQUEST_BODY;
  if (!std::exchange(self.received_, true))
    out->body = {self.request_.body.data(), self.request_.body.size()};
  return BENTO_OK;
}

bento_code BufferedChannel::send(bento_channel* channel, const bento_event* event,
                                 bento_error* error) {
  BufferedChannel& self = *reinterpret_cast<Table*>(channel)->owner;
  if (event->type == BENTO_RESPONSE_START) return self.start(*event).give(error);
  if (event->type == BENTO_RESPONSE_BODY) return self.body(*event).give(error);
  return misuse("send takes BENTO_RESPONSE_START and BENTO_RESPONSE_BODY").give(error);
}

Status BufferedChannel::start(const bento_event& event) {
  if (started_) return misuse("the response was already started");
  if (event.status < 200 || event.status > 599) return misuse("a status is between 200 and 599");
  started_ = true;
  response_.status = static_cast<int>(event.status);
  for (std::size_t i = 0; i < event.headers.len; ++i) {
    const std::string name = lower(to_view(event.headers.ptr[i].name));
    const std::string_view value = to_view(event.headers.ptr[i].value);
    // The framing is the host's.
    if (name == "content-length" || name == "transfer-encoding" || name == "connection") continue;
    if (name == "content-type") {
      response_.content_type = value;
    } else {
      response_.headers.push_back(
          {std::string(to_view(event.headers.ptr[i].name)), std::string(value)});
    }
  }
  return {};
}

Status BufferedChannel::body(const bento_event& event) {
  if (!started_) return misuse("a body before the response was started");
  if (complete_) return misuse("a body after the last one");
  response_.body.append(static_cast<const char*>(event.body.ptr), event.body.len);
  complete_ = event.more == 0;
  return {};
}

Result<http::Response> BufferedChannel::take_response() {
  if (!started_) return misuse("the handler returned without an answer");
  if (!complete_) return misuse("the handler returned before the end of its answer");
  return std::move(response_);
}

}  // namespace bentohost::service
