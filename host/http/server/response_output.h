// ResponseOutput: the response to a connection's current request. It takes the handler's response
// and turns it into output: head, framing, body or pieces. It tracks the progress in a
// ResponseState, and decides whether the connection stays open after the response.
//
// [handler] functions are for the code that answers, on any thread, one call at a time, from the
// handler's call until the response is complete; then the loop owns the data that they kept. All
// other functions: [loop].
#pragma once

#include <cassert>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_budget.h"
#include "base/status.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "http/server/connection_io.h"
#include "http/server/response_state.h"
#include "http/server/stream.h"

namespace bentohost::http {

class ResponseOutput {
 public:
  // Whether another request may follow on the connection, apart from what the response says.
  struct Terms {
    bool must_end = false;   // we end the connection, whatever the client wants
    bool keep_alive = true;  // the client wants to keep the connection
  };

  const ResponseState& state() const { return state_; }
  bool is_due() const { return state_.is_due(); }
  Ending ending() const { return state_.ending(); }

  // ---- the application's call
  void begin(Ending at_least) {
    request_id_.clear();
    require(state_.begin(at_least));
  }
  // [handler] For the response's X-Request-Id. Kept here, and not among the response's headers, its
  // memory is that of the connection's last one.
  void set_request_id(std::string_view id) { request_id_ = id; }
  // [handler] Keeps a whole response.
  void keep(Response&& response) { response_ = std::move(response); }
  // A response was kept before the application's call returned.
  void respond() { require(state_.respond()); }
  // The call has returned. Returns whether a response was kept.
  bool returned() {
    const bool has_answered = state_.state() == ResponseState::State::kAnswered;
    require(state_.returned());
    return has_answered;
  }

  // ---- streams
  // From now on the body of the request, the response or both are streamed.
  Stream& open_stream(MemoryBudget* body_memory);
  // [handler] Null if neither is streamed.
  Stream* stream() const { return stream_.get(); }
  // [handler] (waits) The head of a streamed response, with its first piece, and then the pieces.
  // Requires a stream. If `is_first` is set, the caller must tell the loop about the output.
  Status start(const Request& request, Response&& response, bool& is_first);
  Status give(std::string_view piece, bool& is_first);
  // The client will not get the rest.
  void cancel();
  bool is_cancelled() const { return stream_->is_cancelled(); }

  // ---- to the output; `request` is the one that the response answers
  // Appends the whole response that was kept; if it cannot be sent, a 500.
  void answer(const Request& request, const Terms& terms, ConnectionIo& io);
  // Appends the available part of a streamed response, after its head.
  void append_stream(const Request& request, const Terms& terms, ConnectionIo& io);
  // The same, and its end.
  void finish_stream(const Request& request, const Terms& terms, ConnectionIo& io);
  // Appends `late` and abandons the handler's response; the handler keeps the request and stream.
  void answer_late(const Request& request, const Response& late, ConnectionIo& io);
  // `unsent` bytes of the output have not been sent yet: they count as buffered by the stream.
  // True when a handler that found no room has it again.
  bool set_unsent(std::size_t unsent);

  // ---- ends
  // The connection is closed: no response is due any more.
  void abandon();
  // The handler of an abandoned response is done with it.
  void settle();
  // [handler] Calls `f` once all of the response was sent, or never will be.
  void after_sent(std::function<void()> f) { after_sent_.push_back(std::move(f)); }
  // All output was sent, or never will be: calls the functions of the responses that are complete.
  void run_after_sent() {
    if (!sent_.empty()) run(sent_);
  }

 private:
  using SentCallbacks = std::vector<std::function<void()>>;

  // A transition that ResponseState refuses is a bug in the connection.
  static void require([[maybe_unused]] bool is_allowed) { assert(is_allowed); }

  Ending ending_of(const Response& response, BodyFraming framing, const Terms& terms) const;
  ResponseHead head_of(const Request& request, BodyFraming framing, Ending ending) const;
  void begin_stream(const Request& request, const Terms& terms, std::string& out);
  void complete(Ending ending);
  static void run(SentCallbacks& whom);

  ResponseState state_;
  Response response_;
  std::string request_id_;
  std::unique_ptr<Stream> stream_;
  BodyFraming framing_ = BodyFraming::kChunked;  // of a streamed response
  std::size_t left_ = 0;                         // ... with a Content-Length
  bool drops_body_ = false;                      // see is_bodiless(): the head is all of it
  SentCallbacks after_sent_;
  SentCallbacks sent_;  // of complete responses that are not all sent yet
};

}  // namespace bentohost::http
