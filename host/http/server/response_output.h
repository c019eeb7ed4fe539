// ResponseOutput: the response to a connection's current request: what its handler gives, and how
// that becomes output: head, framing, body or pieces. It counts how far it has come by a
// ResponseState, and decides what becomes of the connection behind it.
//
// [handler] functions are for whoever answers, on any thread, one at a time, from the handler's
// call until the response is complete; what they keep is the loop's from then on. All others:
// [loop].
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
    bool must_end = false;   // we end it, whatever the client wants
    bool keep_alive = true;  // the client wants to keep it
  };

  const ResponseState& state() const { return state_; }
  bool is_due() const { return state_.is_due(); }
  Ending ending() const { return state_.ending(); }

  // ---- the application's call
  void begin(Ending at_least) { require(state_.begin(at_least)); }
  // [handler] Keeps a whole response.
  void keep(Response&& response) { response_ = std::move(response); }
  // It is kept, from within the call.
  void respond() { require(state_.respond()); }
  // The call has returned. True: with a response kept.
  bool returned() {
    const bool has_answered = state_.state() == ResponseState::State::kAnswered;
    require(state_.returned());
    return has_answered;
  }

  // ---- streams
  // From now on the body of the request, the response or both are streamed.
  Stream& open_stream(MemoryBudget* body_memory);
  // [handler] Null: neither is.
  Stream* stream() const { return stream_.get(); }
  // [handler] (waits) The head of a streamed response, with its first piece, and then the pieces.
  // `is_first` tells that the loop has to be told of them. Not without a stream.
  Status start(const Request& request, Response&& response, bool& is_first);
  Status give(std::string_view piece, bool& is_first);
  // Nobody will hear the rest.
  void cancel();
  bool is_cancelled() const { return stream_->is_cancelled(); }

  // ---- to the output; `request` is what the response is to
  // The whole response that is kept; one that cannot be sent becomes a 500.
  void answer(const Request& request, const Terms& terms, ConnectionIo& io);
  // What there is of a streamed one, and its head before.
  void append_stream(const Request& request, const Terms& terms, ConnectionIo& io);
  // The same, and its end.
  void finish_stream(const Request& request, const Terms& terms, ConnectionIo& io);
  // `late` in place of the handler's, which is abandoned, but still has the request and the stream.
  void answer_late(const Request& request, const Response& late, ConnectionIo& io);
  // So much of the output is still to go out: it counts as buffered by the stream.
  void set_unsent(std::size_t unsent);

  // ---- ends
  // The connection is closed: no response is due any more.
  void abandon();
  // The handler of an abandoned response is through with it.
  void settle();
  // [handler] `f` is called once all has gone out, or never will.
  void after_sent(std::function<void()> f) { after_sent_.push_back(std::move(f)); }
  // All output has gone out, or never will: calls the functions of the responses that are complete.
  void run_after_sent() {
    if (!sent_.empty()) run(sent_);
  }

 private:
  using SentCallbacks = std::vector<std::function<void()>>;

  // A transition that ResponseState refuses is a fault of the connection's.
  static void require([[maybe_unused]] bool is_allowed) { assert(is_allowed); }

  Ending ending_of(const Response& response, BodyFraming framing, const Terms& terms) const;
  void begin_stream(const Request& request, const Terms& terms, std::string& out);
  void complete(Ending ending);
  static void run(SentCallbacks& whom);

  ResponseState state_;
  Response response_;
  std::unique_ptr<Stream> stream_;
  BodyFraming framing_ = BodyFraming::kChunked;  // of a streamed response
  std::size_t left_ = 0;                         // ... with a Content-Length
  bool drops_body_ = false;                      // see is_bodiless(): the head is all of it
  SentCallbacks after_sent_;
  SentCallbacks sent_;  // of those whose last byte is to be sent
};

}  // namespace bentohost::http
