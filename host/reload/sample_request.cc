#include "reload/sample_request.h"

#include <utility>

#include "base/mutex.h"

namespace bentohost::reload {
namespace {

constexpr std::size_t kMaxQuoted = 400;  // bytes of a response, in an error

// The handler keeps it alive until it answers, however late.
class SampleExchange final : public http::Exchange,
                             public std::enable_shared_from_this<SampleExchange> {
 public:
  SampleExchange(std::shared_ptr<const void> target, http::Request request)
      : target_(std::move(target)),
        request_(std::move(request)),
        body_bytes_(request_.body.size()) {}

  void begin(service::Dispatcher& dispatcher) {
    keep_ = shared_from_this();
    dispatcher.handle(*this);
  }
  bool wait_for(Duration longest) {
    MutexLock lock(mutex_);
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!is_over_ && changed_.wait_until(mutex_, end) == std::cv_status::no_timeout) {
    }
    if (is_over_) return true;
    gone_->store(true);
    return false;
  }
  int status() {
    const MutexLock lock(mutex_);
    return status_;
  }
  std::string body() {
    const MutexLock lock(mutex_);
    return body_;
  }

  const http::Request& request() const override { return request_; }
  std::string take_body() override { return std::move(request_.body); }
  std::size_t body_bytes() const override { return body_bytes_; }
  std::shared_ptr<const void> take_target() override { return std::move(target_); }
  void respond(http::Response&& response) override {
    (void)start(std::move(response));
    (void)write({}, false);
  }
  void allow_stream() override {}
  Result<http::ReceivedBody> receive() override {
    return http::ReceivedBody{std::exchange(request_.body, {}), false};
  }
  Status start(http::Response response) override {
    const MutexLock lock(mutex_);
    status_ = response.status;
    body_ = std::move(response.body);
    return {};
  }
  Status write(std::string_view bytes, bool more) override {
    {
      const MutexLock lock(mutex_);
      if (body_.size() < kMaxQuoted) body_ += bytes.substr(0, kMaxQuoted);
    }
    if (!more) end();
    return {};
  }
  void abort() override {
    {
      const MutexLock lock(mutex_);
      status_ = 0;
    }
    end();
  }
  void after_sent(std::function<void()> f) override { after_sent_.push_back(std::move(f)); }
  // try_route() enforces its own time limit.
  void answer_by(TimePoint, std::shared_ptr<http::DeadlineResponder>) override {}
  void tighten_deadline(TimePoint) override {}
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return gone_; }

 private:
  void end() {
    for (const auto& f : std::exchange(after_sent_, {})) f();
    const auto self = std::move(keep_);
    const MutexLock lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }

  std::shared_ptr<const void> target_;
  http::Request request_;
  const std::size_t body_bytes_;
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::function<void()>> after_sent_;
  std::shared_ptr<SampleExchange> keep_;
  Mutex mutex_;
  CondVar changed_;
  int status_ BENTO_GUARDED_BY(mutex_) = 0;
  std::string body_ BENTO_GUARDED_BY(mutex_);
  bool is_over_ BENTO_GUARDED_BY(mutex_) = false;
};

}  // namespace

Status try_route(service::Dispatcher& dispatcher,
                 const std::shared_ptr<const service::Route>& route, std::string content_type,
                 std::string body, const Clock& clock, Duration longest) {
  http::Request request;
  request.method = route->method;
  request.target = request.path = route->path;
  request.version = "HTTP/1.1";
  request.client = "reload";
  request.server = "localhost";
  request.headers = {{"host", "localhost"}, {"content-type", std::move(content_type)}};
  request.body = std::move(body);
  request.arrived = clock.now();
  const auto trial = std::make_shared<SampleExchange>(route, std::move(request));
  trial->begin(dispatcher);
  if (!trial->wait_for(longest)) {
    return Status(BENTO_DEADLINE_EXCEEDED, route->owner + " did not answer its sample in time");
  }
  if (trial->status() >= 200 && trial->status() < 300) return {};
  return Status(BENTO_UNAVAILABLE, route->owner + " answers its sample with " +
                                       std::to_string(trial->status()) + ": " +
                                       trial->body().substr(0, kMaxQuoted));
}

}  // namespace bentohost::reload
