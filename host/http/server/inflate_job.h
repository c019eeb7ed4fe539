// InflateJob: inflates the rest of a request's whole body on a thread: a few bytes may expand to
// many, which would hold up the loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/loop/event_loop.h"
#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "http/parse/request_reader.h"

namespace bentohost::http {

class InflateJob final : public ThreadPool::Job {
 public:
  using Backlog = RequestReader::Backlog;
  // [loop] Takes the backlog back, either inflated or with an error status.
  using Done = std::function<void(std::unique_ptr<Backlog>)>;

  // `done` is called once, on `loop`, and keeps `memory` and `loop` alive. Until then only the job
  // uses `memory`, for the inflated bytes. The job is cancelled once `cancelled` is true.
  InflateJob(std::unique_ptr<Backlog> backlog, Reservation& memory,
             std::shared_ptr<const std::atomic<bool>> cancelled, EventLoop& loop, Done done);

  bool is_wanted() const override { return !cancelled_->load(); }
  void run() override;
  void drop() override;

 private:
  void give_back();

  std::unique_ptr<Backlog> backlog_;
  Reservation& memory_;
  const std::shared_ptr<const std::atomic<bool>> cancelled_;
  EventLoop& loop_;
  Done done_;
};

}  // namespace bentohost::http
