#include "upstream/upload.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "http/response_writer.h"

namespace bentohost::upstream {
namespace {

constexpr std::size_t kKeptOutput = 4u << 10;  // of an idle connection

}  // namespace

void Upload::begin(const Downstream& downstream, const UpstreamOptions& options, const Body& body,
                   Connection& connection, TimePoint now) {
  *this = Upload();
  const http::Request& request = downstream.request();
  const std::optional<std::string_view> whole = body.whole;
  framing_ = body_framing(request, whole ? std::optional(whole->size()) : std::nullopt);
  if (!whole && downstream.may_change_length()) framing_ = {BodyFraming::Kind::kChunked};
  left_ = framing_.length;
  std::string& output = connection.output();
  output.clear();
  const TimePoint due = downstream.deadline();
  append_request_head(request, options,
                      {downstream.request_id(), due == kNoDeadline ? Duration::max() : due - now},
                      framing_, output);
  is_streaming_ = !whole;
  body_ = whole.value_or(std::string_view());
  if (!body.early.empty()) (void)add(std::string(body.early), true, output);
  progress_ = now;
}

Status Upload::pump(Downstream& downstream, Connection& connection, TimePoint now) {
  while (!is_broken_ && flush(connection, now) && is_streaming_) {
    Result<http::ReceivedBody> received = downstream.receive();
    if (!received.ok()) return std::move(received).take_status();
    if (received->bytes.empty() && received->more) break;
    has_received_ = true;
    Status status = add(std::move(received->bytes), received->more, connection.output());
    if (!status.ok()) return status;
  }
  return {};
}

Status Upload::add(std::string&& bytes, bool more, std::string& output) {
  is_streaming_ = more;
  if (!is_tunnel_ && framing_.kind != BodyFraming::Kind::kChunked) {
    if (bytes.size() > left_ || (!more && bytes.size() != left_)) {
      return Status(BENTO_INTERNAL, "the request's body is not as long as its Content-Length says");
    }
    left_ -= bytes.size();
  }
  if (!is_tunnel_ && framing_.kind == BodyFraming::Kind::kChunked) {
    http::append_chunk(bytes, output);
    if (!more) output.append(http::kLastChunk);
  } else {
    piece_ = std::move(bytes);
    body_ = piece_;
  }
  return {};
}

// False if the server takes no more bytes: its buffer is full, or the connection is broken.
bool Upload::flush(Connection& connection, TimePoint now) {
  std::string& output = connection.output();
  if (output.empty() && body_.empty()) return true;
  const http::Sent sent = connection.write(std::string_view(output).substr(sent_), body_);
  const std::size_t of_output = std::min(sent.size, output.size() - sent_);
  sent_ += of_output;
  body_.remove_prefix(sent.size - of_output);
  if (sent.size > 0) {
    has_written_ = true;
    progress_ = now;
  }
  is_broken_ = sent.broken;
  is_blocked_ = !is_broken_ && (sent_ < output.size() || !body_.empty());
  if (is_blocked_) connection.watch_writing(true);
  if (is_broken_ || is_blocked_) return false;
  output.clear();
  if (output.capacity() > kKeptOutput) std::string().swap(output);
  sent_ = 0;
  return true;
}

}  // namespace bentohost::upstream
