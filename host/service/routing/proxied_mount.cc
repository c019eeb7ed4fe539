#include "service/routing/proxied_mount.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/recycled.h"
#include "http/problem.h"
#include "upstream/downstream.h"
#include "upstream/request_head.h"

namespace bentohost::service {
namespace {

// The request on its connection's loop.
class LoopDownstream final : public upstream::Downstream {
 public:
  explicit LoopDownstream(RequestPtr request) : request_(std::move(request)) {}

  const http::Request& request() const override { return request_->request(); }
  std::string_view request_id() const override { return request_->request_id(); }
  TimePoint deadline() const override { return request_->tracked().deadline(); }
  std::optional<std::string_view> whole_body() const override { return whole_body_; }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) override {
    const bool is_arriving = request().is_arriving;
    EventLoop* const loop = request_->answer_on_loop(std::move(events));
    if (loop == nullptr || is_arriving) return loop;
    if (auto body = request_->receive(); body.ok()) whole_body_ = std::move(body->bytes);
    return loop;
  }
  bool has_room() const override { return request_->has_room(); }
  Result<http::ReceivedBody> receive() override { return request_->receive(); }
  void answer(http::Response&& response) override { request_->answer(std::move(response)); }
  Status start(http::Response response) override { return request_->start(std::move(response)); }
  Status write(std::string_view bytes, bool more) override { return request_->write(bytes, more); }
  void abort(const Status& why) override { request_->abort(why); }
  void fail(const Status& why, http::Headers headers) override {
    request_->fail(why, std::move(headers));
  }

 private:
  const RequestPtr request_;
  std::optional<std::string> whole_body_;
};

// The request on a thread that waits in serve(), and does there what the loop asks of it. Input and
// output take turns on the thread: while it waits for more of the request's body, which the app has
// asked for, no response is sent.
class ThreadDownstream final : public upstream::Downstream,
                               public std::enable_shared_from_this<ThreadDownstream> {
 public:
  ThreadDownstream(RequestPtr request, std::shared_ptr<upstream::Upstream> upstream,
                   EventLoop& loop)
      : request_(std::move(request)), upstream_(std::move(upstream)), loop_(loop) {}

  // [worker] (waits) Until the request is answered.
  void serve() {
    take_first_piece();
    loop_.post(
        [self = shared_from_this(), upstream = upstream_] { upstream::proxy(self, upstream); });
    MutexLock lock(mutex_);
    while (!has_ended_) {
      if (!output_.empty()) {
        const Output output = std::move(output_.front());
        output_.pop_front();
        lock.unlock();
        has_ended_ = output.send();
        lock.lock();
        const bool had_room = is_below_mark();
        unsent_ -= output.size;
        if (!had_room && is_below_mark()) tell(&http::StreamEvents::on_room);
      } else if (is_body_wanted_ && !has_body_ended_) {
        lock.unlock();
        Result<http::ReceivedBody> piece = request_->receive();
        lock.lock();
        is_body_wanted_ = false;
        has_body_ended_ = !piece.ok() || !piece->more;
        body_.push_back(std::move(piece));
        tell(&http::StreamEvents::on_body);
      } else if (request_->is_cancelled() && !std::exchange(is_cancel_told_, true)) {
        tell(&http::StreamEvents::on_cancelled);
      } else {
        changed_.wait_for(mutex_, kPoll);
      }
    }
    events_ = nullptr;
  }

  // [loop]
  const http::Request& request() const override { return request_->request(); }
  std::string_view request_id() const override { return request_->request_id(); }
  TimePoint deadline() const override { return request_->tracked().deadline(); }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) override {
    const MutexLock lock(mutex_);
    events_ = std::move(events);
    return &loop_;
  }
  std::optional<std::string_view> whole_body() const override { return whole_body_; }
  bool may_change_length() const override { return true; }  // middleware that waits may
  bool has_room() const override {
    const MutexLock lock(mutex_);
    return is_below_mark();
  }
  Result<http::ReceivedBody> receive() override {
    const MutexLock lock(mutex_);
    if (!body_.empty()) {
      Result<http::ReceivedBody> piece = std::move(body_.front());
      body_.pop_front();
      return piece;
    }
    is_body_wanted_ = true;
    changed_.notify_all();
    return http::ReceivedBody{{}, true};
  }
  void answer(http::Response&& response) override {
    put(0, [this, response = std::move(response)]() mutable {
      request_->answer(std::move(response));
      return true;
    });
  }
  Status start(http::Response response) override {
    const std::size_t size = response.body.size();
    put(size, [this, response = std::move(response)]() mutable {
      const Status status = request_->start(std::move(response));
      if (status.ok() || status.code() == BENTO_CANCELLED) return false;
      request_->fail(status);
      return true;
    });
    return {};
  }
  Status write(std::string_view bytes, bool more) override {
    put(bytes.size(), [this, text = std::string(bytes), more] {
      (void)request_->write(text, more);
      return !more;
    });
    return {};
  }
  void abort(const Status& why) override {
    put(0, [this, why] {
      request_->abort(why);
      return true;
    });
  }
  void fail(const Status& why, http::Headers headers) override {
    put(0, [this, why, headers = std::move(headers)] {
      request_->fail(why, headers);
      return true;
    });
  }

 private:
  static constexpr std::size_t kHighWater = 256u << 10;
  // How long it takes to notice a client that has left.
  static constexpr Duration kPoll = std::chrono::milliseconds(100);

  struct Output {
    std::size_t size;
    std::function<bool()> send;  // true: it was the last
  };

  // [worker] (waits) Most bodies are one piece, or none.
  void take_first_piece() {
    Result<http::ReceivedBody> piece = request_->receive();
    const MutexLock lock(mutex_);
    has_body_ended_ = !piece.ok() || !piece->more;
    if (piece.ok() && !piece->more) {
      whole_body_ = std::move(piece->bytes);
    } else {
      body_.push_back(std::move(piece));
    }
  }

  bool is_below_mark() const BENTO_REQUIRES(mutex_) { return unsent_ < kHighWater; }
  template <typename F>
  void put(std::size_t size, F send) {
    const MutexLock lock(mutex_);
    // std::function wants to be copied, which a shared pointer can be.
    auto shared = std::make_shared<F>(std::move(send));
    output_.push_back({size, [shared] { return (*shared)(); }});
    unsent_ += size;
    changed_.notify_all();
  }
  void tell(void (http::StreamEvents::*what)()) BENTO_REQUIRES(mutex_) {
    if (events_ == nullptr) return;
    loop_.post([self = shared_from_this(), what] {
      std::shared_ptr<http::StreamEvents> events;
      {
        const MutexLock lock(self->mutex_);
        events = self->events_;
      }
      if (events != nullptr) (events.get()->*what)();
    });
  }

  const RequestPtr request_;
  const std::shared_ptr<upstream::Upstream> upstream_;
  EventLoop& loop_;
  std::optional<std::string> whole_body_;  // set before the loop knows of this
  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<http::StreamEvents> events_ BENTO_GUARDED_BY(mutex_);
  std::deque<Output> output_ BENTO_GUARDED_BY(mutex_);
  std::size_t unsent_ BENTO_GUARDED_BY(mutex_) = 0;
  std::deque<Result<http::ReceivedBody>> body_ BENTO_GUARDED_BY(mutex_);
  bool is_body_wanted_ BENTO_GUARDED_BY(mutex_) = false;
  bool has_body_ended_ BENTO_GUARDED_BY(mutex_) = false;
  bool has_ended_ = false;       // the thread's own
  bool is_cancel_told_ = false;  // likewise
};

}  // namespace

void proxy_request(const RequestPtr& request, const std::shared_ptr<upstream::Upstream>& upstream,
                   EventLoop& loop) {
  if (!request->is_on_thread()) {
    return upstream::proxy(make_recycled<LoopDownstream>(request), upstream);
  }
  if (upstream::wants_websocket(request->request())) {
    return request->fail(
        Status(BENTO_UNIMPLEMENTED, "a WebSocket cannot be opened behind middleware that waits"));
  }
  std::make_shared<ThreadDownstream>(request, upstream, loop)->serve();
}

}  // namespace bentohost::service
