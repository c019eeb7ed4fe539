// A bento_channel made by hand: gives a body in pieces, and records what is sent.
#pragma once

#include <bento/abi.h>

#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/fake_host.h"

namespace bento::fakes {

class FakeChannel {
 public:
  FakeChannel() {
    table_.owner = this;
    table_.channel.size = sizeof table_.channel;
    table_.channel.receive = [](bento_channel* channel, bento_event* out, bento_error* error) {
      return reinterpret_cast<Table*>(channel)->owner->receive(*out, error);
    };
    table_.channel.send = [](bento_channel* channel, const bento_event* event, bento_error* error) {
      return reinterpret_cast<Table*>(channel)->owner->send(*event, error);
    };
  }
  FakeChannel(const FakeChannel&) = delete;

  bento_channel* get() { return &table_.channel; }

  std::deque<std::string> pieces;            // of the body; the last one ends it
  bento_code receive_code = BENTO_OK;        // once the pieces are used up: an error in their place
  bool is_torn = false;                      // then the client leaves
  std::size_t listens_to = std::size_t(-1);  // so many pieces of the answer; then nobody is there

  std::uint32_t status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> sent;  // each a piece
  bool is_ended = false;

 private:
  struct Table {
    bento_channel channel{};  // first: its address is the table's
    FakeChannel* owner = nullptr;
  };

  static bento_code fail(bento_error* error, bento_code code, const char* message) {
    error->code = code;
    error->http_status = 400 + static_cast<std::uint32_t>(code);
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return code;
  }
  bento_code receive(bento_event& out, bento_error* error) {
    if (out.size != sizeof out) return fail(error, BENTO_INTERNAL, "an event without its size");
    if (pieces.empty() && receive_code != BENTO_OK) return fail(error, receive_code, "a bad body");
    out.type = BENTO_DISCONNECT;
    if (pieces.empty()) return BENTO_OK;
    piece_ = std::move(pieces.front());
    pieces.pop_front();
    out.type = BENTO_REQUEST_BODY;
    out.more = pieces.empty() && receive_code == BENTO_OK && !is_torn ? 0 : 1;
    out.body = {piece_.data(), piece_.size()};
    return BENTO_OK;
  }
  bento_code send(const bento_event& event, bento_error* error) {
    if (event.type == BENTO_RESPONSE_START) {
      if (status != 0) return fail(error, BENTO_FAILED_PRECONDITION, "started twice");
      status = event.status;
      for (std::size_t i = 0; i < event.headers.len; ++i) {
        headers.emplace_back(text(event.headers.ptr[i].name), text(event.headers.ptr[i].value));
      }
      return BENTO_OK;
    }
    if (status == 0 || is_ended) return fail(error, BENTO_FAILED_PRECONDITION, "out of order");
    is_ended = event.more == 0;
    if (sent.size() >= listens_to) return fail(error, BENTO_CANCELLED, "nobody is there");
    sent.emplace_back(static_cast<const char*>(event.body.ptr), event.body.len);
    return BENTO_OK;
  }

  Table table_;
  std::string piece_;
};

}  // namespace bento::fakes
