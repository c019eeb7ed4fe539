#include "http/client/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "base/mutex.h"

namespace bentohost::http {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Status unknown(const std::string& why) { return Status::with_http(502, BENTO_UNAVAILABLE, why); }

}  // namespace

Result<std::vector<SocketAddress>> numeric_address(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof v4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.size = sizeof v6;
  } else {
    return unknown(host + " is no IP address");
  }
  return std::vector<SocketAddress>{address};
}

Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  if (error == EAI_NONAME) return unknown("no host of that name is known");
  if (error != 0) {
    return unknown(std::string("its name cannot be looked up: ") + ::gai_strerror(error));
  }
  std::vector<SocketAddress> all;
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
    SocketAddress address;
    if (each->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    all.push_back(address);
  }
  if (all.empty()) return unknown("no host of that name is known");
  return all;
}

// Outlives the Resolver while a thread hangs in a look-up.
struct Resolver::State {
  explicit State(LookUp f) : look_up(std::move(f)) {}

  Result<Whereabouts> find(const Url& url) {
    auto addresses =
        url.is_address ? numeric_address(url.host, url.port) : look_up(url.host, url.port);
    if (!addresses.ok()) return std::move(addresses).take_status();
    Whereabouts found{*std::move(addresses), nullptr};
    if (!url.is_tls) return found;
    const MutexLock lock(mutex);
    if (tls == nullptr) {
      auto made = TlsClientContext::create();
      if (!made.ok()) return std::move(made).take_status();
      tls = *std::move(made);
    }
    found.tls = tls;
    return found;
  }

  const LookUp look_up;
  Mutex mutex;
  std::shared_ptr<const TlsClientContext> tls BENTO_GUARDED_BY(mutex);  // null: not needed yet
};

namespace {

class LookUpJob final : public ThreadPool::Job {
 public:
  LookUpJob(std::function<Result<Whereabouts>()> find, std::shared_ptr<EventLoop> loop,
            std::weak_ptr<const void> user, Resolver::Done done)
      : find_(std::move(find)),
        loop_(std::move(loop)),
        user_(std::move(user)),
        done_(std::move(done)) {}
  // So that look-ups that hang hold up no more than those that wait for them.
  bool is_wanted() const override { return !user_.expired(); }
  void run() override { tell(find_()); }
  void drop() override { tell(Status(BENTO_UNAVAILABLE, "the server is shutting down")); }

 private:
  void tell(Result<Whereabouts> found) {
    loop_->post([done = std::move(done_), found = std::move(found)] { done(found); });
  }

  const std::function<Result<Whereabouts>()> find_;
  const std::shared_ptr<EventLoop> loop_;
  const std::weak_ptr<const void> user_;
  Resolver::Done done_;
};

}  // namespace

Resolver::Resolver(LookUp look_up)
    : state_(std::make_shared<State>(std::move(look_up))),
      threads_({.max_threads = kThreads, .permits = kThreads, .max_waiting = kMaxWaiting}) {}

Resolver::~Resolver() { threads_.stop(std::chrono::steady_clock::now()); }

void Resolver::find(const Url& url, const std::shared_ptr<EventLoop>& loop,
                    std::weak_ptr<const void> user, Done done) {
  // Most names are looked up soon; a job that is refused must be told of, too.
  auto job = std::make_unique<LookUpJob>([state = state_, url] { return state->find(url); }, loop,
                                         std::move(user), done);
  const Status status = threads_.run(std::move(job));
  if (status.ok()) return;
  loop->post([done = std::move(done), status] {
    done(Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                           "its name cannot be looked up: " + status.message()));
  });
}

}  // namespace bentohost::http
