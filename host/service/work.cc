#include "service/work.h"

#include <utility>

#include "http/limits.h"

namespace bentohost::service {
namespace {

class RequestJob final : public ThreadPool::Job {
 public:
  RequestJob(std::shared_ptr<Ledger> ledger, std::size_t bytes, std::function<void()> f,
             std::function<void(const Status&)> fail)
      : Job(bytes), ledger_(std::move(ledger)), f_(std::move(f)), fail_(std::move(fail)) {}

  bool is_wanted() const override { return !ledger_->is_over(); }
  void run() override {
    ledger_->note_begun();
    try {
      f_();
    } catch (const std::bad_alloc&) {
      fail_(out_of_memory());
    }
  }
  void drop() override {
    const Status why = ledger_->over();
    fail_(why.ok() ? Status(BENTO_UNAVAILABLE, "the server is shutting down") : why);
  }

 private:
  const std::shared_ptr<Ledger> ledger_;
  const std::function<void()> f_;
  const std::function<void(const Status&)> fail_;
};

}  // namespace

Status out_of_memory() {
  return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                           "there is not enough memory for this request");
}

void run_for(const RequestPtr& request, Environment& environment, std::function<void()> f) {
  if (request->is_on_thread() || environment.threads == nullptr) return guard(request, f);
  run_for(std::shared_ptr<Ledger>(request, &request->ledger()), request->request().body.size(),
          environment, std::move(f), [request](const Status& status) { request->give_up(status); });
}

void run_for(const std::shared_ptr<Ledger>& ledger, std::size_t bytes, Environment& environment,
             std::function<void()> f, std::function<void(const Status&)> fail) {
  if (environment.threads == nullptr) return RequestJob(ledger, bytes, f, fail).run();
  const Status status =
      environment.threads->run(std::make_unique<RequestJob>(ledger, bytes, std::move(f), fail));
  if (status.ok()) return;
  environment.metrics.count_http_rejected(http::reason::kHandlerQueue);
  fail(Status::with_http(503, status.code(), status.message()));
}

}  // namespace bentohost::service
