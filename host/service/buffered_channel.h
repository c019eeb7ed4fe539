// BufferedChannel: the bento_channel of a raw API: the body was read before, the response is
// collected and sent when it is whole. One thread.
#pragma once

#include <bento/abi.h>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

class BufferedChannel {
 public:
  explicit BufferedChannel(const http::Request& request);
  BufferedChannel(const BufferedChannel&) = delete;
  BufferedChannel& operator=(const BufferedChannel&) = delete;

  bento_channel* get() { return &table_.channel; }
  // The response, or FAILED_PRECONDITION: what is missing in it.
  Result<http::Response> take_response();

 private:
  struct Table {
    bento_channel channel;  // first: its address is the table's
    BufferedChannel* owner;
  };
  static bento_code receive(bento_channel* channel, bento_event* out, bento_error* error);
  static bento_code send(bento_channel* channel, const bento_event* event, bento_error* error);
  Status start(const bento_event& event);
  Status body(const bento_event& event);

  const http::Request& request_;
  Table table_{};
  bool received_ = false, started_ = false, complete_ = false;
  http::Response response_;
};

}  // namespace bentohost::service
