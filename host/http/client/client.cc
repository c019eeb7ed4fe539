#include "http/client/client.h"

#include <algorithm>
#include <utility>

namespace bentohost::http {

struct Client::PerLoop : ClientLoop {
  using ClientLoop::ClientLoop;

  // Origins that nothing is kept of are forgotten: a plugin may ask thousands of servers once.
  std::shared_ptr<Origin> origin(const Url& url) {
    const std::string name = url.origin();
    const auto found = origins.find(name);
    if (found != origins.end()) return found->second;
    if (origins.size() >= next_sweep) {
      std::erase_if(origins, [](const auto& each) {
        return each.second.use_count() == 1 && each.second->is_unused();
      });
      next_sweep = std::max(kFirstSweep, 2 * origins.size());
    }
    return origins.emplace(name, std::make_shared<Origin>(*this, url)).first->second;
  }
  void close() {
    for (const auto& each : origins) each.second->close_idle();
  }

  static constexpr std::size_t kFirstSweep = 64;
  std::map<std::string, std::shared_ptr<Origin>> origins;
  std::size_t next_sweep = kFirstSweep;
};

Client::Client(const Loops& loops, ClientOptions options, Resolver::LookUp look_up)
    : resolver_(std::move(look_up)) {
  for (const auto& loop : loops) {
    loops_.push_back(std::make_shared<PerLoop>(loop, resolver_, options));
  }
}

Client::~Client() = default;

Client::PerLoop& Client::some_loop() {
  const EventLoop* const current = EventLoop::current();
  for (const auto& each : loops_) {
    if (each->loop.get() == current) return *each;
  }
  return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

Client::Handle Client::start(FetchRequest request, std::shared_ptr<FetchUser> user) {
  PerLoop& where = some_loop();
  const auto begin = [&where, url = request.url](const std::shared_ptr<Fetch>& fetch) {
    fetch->start(where.origin(url));
  };
  // Its timer joins the loop's when it is set.
  auto fetch = std::make_shared<Fetch>(where, std::move(request), std::move(user));
  if (where.loop.get() == EventLoop::current()) {
    begin(fetch);
  } else {
    where.loop->post([begin, fetch] { begin(fetch); });
  }
  return Handle(where.loop, std::move(fetch));
}

void Client::close() {
  for (const auto& each : loops_) {
    each->loop->post([each] { each->close(); });
  }
}

void Client::Handle::run(void (Fetch::*function)()) const {
  if (loop_.get() == EventLoop::current()) return ((*fetch_).*function)();
  loop_->post([fetch = fetch_, function] { ((*fetch).*function)(); });
}

void Client::Handle::resume() const {
  if (fetch_ != nullptr) run(&Fetch::resume);
}
void Client::Handle::cancel() const {
  if (fetch_ != nullptr) run(&Fetch::cancel);
}

}  // namespace bentohost::http
