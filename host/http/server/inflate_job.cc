#include "http/server/inflate_job.h"

#include <new>
#include <utility>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

InflateJob::InflateJob(std::unique_ptr<Backlog> backlog, Reservation& memory,
                       std::shared_ptr<const std::atomic<bool>> cancelled, EventLoop& loop,
                       Done done)
    : Job(backlog->coded.size() + backlog->body.size()),
      backlog_(std::move(backlog)),
      memory_(memory),
      cancelled_(std::move(cancelled)),
      loop_(loop),
      done_(std::move(done)) {}

void InflateJob::run() {
  try {
    backlog_->inflate(
        [this](std::size_t bytes) { return memory_.grow_to(bytes) ? Status() : no_body_memory(); });
  } catch (const std::bad_alloc&) {
    backlog_->body = {};
    backlog_->status = Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                                         "there is not enough memory for the request's body");
  }
  give_back();
}

void InflateJob::drop() {
  backlog_->status = Status(BENTO_UNAVAILABLE, "the server is shutting down");
  give_back();
}

void InflateJob::give_back() {
  // std::function requires copyable captures.
  auto held = std::make_shared<std::unique_ptr<Backlog>>(std::move(backlog_));
  loop_.post([done = std::move(done_), held] { done(std::move(*held)); });
}

}  // namespace bentohost::http
