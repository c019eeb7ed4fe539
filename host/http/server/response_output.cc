#include "http/server/response_output.h"

#include "base/log.h"
#include "http/problem.h"
#include "http/spare_response.h"

namespace bentohost::http {

ResponseHead ResponseOutput::head_of(const Request& request, BodyFraming framing,
                                     Ending ending) const {
  ResponseHead head;
  head.framing = framing;
  head.close = ending != Ending::kKeepAlive;
  head.keep_alive = !head.close && request.version == "HTTP/1.0";
  head.request_id = request_id_;
  return head;
}

Stream& ResponseOutput::open_stream(MemoryBudget* body_memory) {
  stream_ = std::make_unique<Stream>(body_memory);
  return *stream_;
}

Status ResponseOutput::start(const Request& request, Response&& response, bool& is_first) {
  const bool is_tunnel = response.status == 101;
  if (Status status = is_tunnel ? check_headers(response) : check_sendable(response);
      !status.ok()) {
    return status;
  }
  std::size_t length = 0;
  framing_ = is_tunnel                                       ? BodyFraming::kToClose
             : find_content_length(response.headers, length) ? BodyFraming::kGiven
             : request.version == "HTTP/1.0"                 ? BodyFraming::kToClose
                                                             : BodyFraming::kChunked;
  left_ = length;
  if (is_bodiless({}, response.status)) framing_ = BodyFraming::kSized;
  drops_body_ = is_bodiless(request.method, response.status);
  const std::string first = std::exchange(response.body, {});
  response_ = std::move(response);
  return give(first, is_first);
}

Status ResponseOutput::give(std::string_view piece, bool& is_first) {
  if (framing_ == BodyFraming::kGiven) {
    if (piece.size() > left_) {
      return Status(BENTO_FAILED_PRECONDITION, "more bytes than its Content-Length says");
    }
    left_ -= piece.size();
  }
  std::string framed;
  if (!drops_body_) {
    if (framing_ == BodyFraming::kChunked) {
      append_chunk(piece, framed);
    } else {
      framed = piece;
    }
  }
  return stream_->give_output(framed, is_first);
}

void ResponseOutput::cancel() {
  if (stream_) stream_->cancel();
}

bool ResponseOutput::set_unsent(std::size_t unsent) {
  return stream_ != nullptr && stream_->set_unsent(unsent);
}

Ending ResponseOutput::ending_of(const Response& response, BodyFraming framing,
                                 const Terms& terms) const {
  // A refusal begins with kLinger.
  if (response.close || terms.must_end || state_.ending() == Ending::kLinger) {
    return Ending::kLinger;
  }
  const bool is_kept = terms.keep_alive && framing != BodyFraming::kToClose;
  return is_kept ? Ending::kKeepAlive : Ending::kClose;
}

void ResponseOutput::answer(const Request& request, const Terms& terms, ConnectionIo& io) {
  Response response = std::move(response_);
  if (const Status status = check_sendable(response); !status.ok()) {
    log_error("a handler's response became a 500: " + status.message(), {{"path", request.path}});
    response = problem(500, {}, request.path);
  }
  const Ending ending = ending_of(response, BodyFraming::kSized, terms);
  append_head(response, head_of(request, BodyFraming::kSized, ending), io.output());
  if (!is_bodiless(request.method, response.status)) io.append_body(std::move(response.body));
  keep_spare_response(std::move(response));
  complete(ending);
}

// Appends the head of a streamed response, once.
void ResponseOutput::begin_stream(const Request& request, const Terms& terms, std::string& out) {
  if (state_.state() == ResponseState::State::kStreaming) return;
  const Ending ending = ending_of(response_, framing_, terms);
  append_head(response_, head_of(request, framing_, ending), out);
  require(state_.begin_stream(ending));
}

void ResponseOutput::append_stream(const Request& request, const Terms& terms, ConnectionIo& io) {
  begin_stream(request, terms, io.output());
  stream_->take_output(io.output());
}

void ResponseOutput::finish_stream(const Request& request, const Terms& terms, ConnectionIo& io) {
  begin_stream(request, terms, io.output());
  stream_->take_output(io.output());
  const bool is_short = framing_ == BodyFraming::kGiven && left_ > 0 && !drops_body_;
  if (is_short) {
    log_error("a handler ended its response before the end of its Content-Length",
              {{"path", request.path}});
  }
  if (framing_ == BodyFraming::kChunked && !drops_body_) io.output() += kLastChunk;
  complete(is_short ? Ending::kClose : Ending::kKeepAlive);
}

void ResponseOutput::answer_late(const Request& request, const Response& late, ConnectionIo& io) {
  append_head(late, {.close = true}, io.output());
  if (!is_bodiless(request.method, late.status)) io.output() += late.body;
  require(state_.abandon());
}

void ResponseOutput::complete(Ending ending) {
  require(state_.complete(ending));
  stream_.reset();
  for (auto& f : after_sent_) sent_.push_back(std::move(f));
  after_sent_.clear();
}

void ResponseOutput::abandon() {
  if (is_due()) require(state_.abandon());
}

void ResponseOutput::settle() {
  require(state_.settle());
  run(after_sent_);
}

void ResponseOutput::run(SentCallbacks& whom) {
  for (const auto& f : std::exchange(whom, {})) f();
}

}  // namespace bentohost::http
