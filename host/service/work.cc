#include "service/work.h"

#include <utility>

#include "http/rejection_reasons.h"

namespace bentohost::service {
namespace {

class RequestJob final : public ThreadPool::Job {
 public:
  RequestJob(std::shared_ptr<TrackedExchange> tracked, std::size_t bytes, std::function<void()> f,
             std::function<void(const Status&)> fail)
      : Job(bytes), tracked_(std::move(tracked)), f_(std::move(f)), fail_(std::move(fail)) {}

  bool is_wanted() const override { return !tracked_->is_over(); }
  void run() override {
    tracked_->note_begun();
    try {
      f_();
    } catch (const std::bad_alloc&) {
      fail_(out_of_memory());
    }
  }
  void drop() override {
    const Status why = tracked_->over();
    fail_(why.ok() ? Status(BENTO_UNAVAILABLE, "the server is shutting down") : why);
  }

 private:
  const std::shared_ptr<TrackedExchange> tracked_;
  const std::function<void()> f_;
  const std::function<void(const Status&)> fail_;
};

}  // namespace

Status out_of_memory() {
  return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                           "there is not enough memory for this request");
}

void run_for(const RequestPtr& request, RequestDeps& deps, std::function<void()> f) {
  if (request->is_on_thread() || deps.threads == nullptr) return guard(request, f);
  run_for(std::shared_ptr<TrackedExchange>(request, &request->tracked()),
          request->request().body.size(), deps, std::move(f),
          [request](const Status& status) { request->give_up(status); });
}

void run_for(const std::shared_ptr<TrackedExchange>& tracked, std::size_t bytes, RequestDeps& deps,
             std::function<void()> f, std::function<void(const Status&)> fail) {
  if (deps.threads == nullptr) return RequestJob(tracked, bytes, f, fail).run();
  const Status status =
      deps.threads->run(std::make_unique<RequestJob>(tracked, bytes, std::move(f), fail));
  if (status.ok()) return;
  deps.metrics.count_http_rejected(http::reason::kHandlerQueue);
  fail(Status::with_http(503, status.code(), status.message()));
}

}  // namespace bentohost::service
