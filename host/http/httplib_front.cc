#include "http/httplib_front.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "http/date.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr int kAcceptPauseMs = 100;
// Up to here a body is copied behind its head; beyond, both go out in one call from where they are.
constexpr std::size_t kMaxCopied = 16u << 10;

// The response that this thread's process_request() is about: httplib's hooks get no argument for
// it.
thread_local Outgoing* outgoing_now = nullptr;

// Shows httplib a request of ours, and sends what it writes in as few calls as can be.
class WritingStream final : public httplib::Stream {
 public:
  WritingStream(Socket& socket, bool omit_body)
      : socket_(socket),
        unread_(omit_body ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n") {}

  bool flush() { return pending_.empty() || socket_.send(std::exchange(pending_, {})); }

  ssize_t read(char* to, size_t size) override {
    const std::size_t n = std::min(size, unread_.size());
    std::memcpy(to, unread_.data(), n);
    unread_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override {
    const std::string_view bytes(from, size);
    if (bytes.size() <= kMaxCopied) {
      pending_ += bytes;
    } else if (!socket_.send(std::exchange(pending_, {}), bytes)) {
      return -1;
    }
    return static_cast<ssize_t>(size);
  }
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  // Not the real one: from 1024 on httplib, which was built for select(), answers 500 by itself.
  socket_t socket() const override { return 0; }

 private:
  Socket& socket_;
  std::string_view unread_;
  std::string pending_;
};

// Those that the front itself is answerable for.
bool is_ours(std::string_view name) {
  for (const std::string_view ours :
       {"connection", "content-length", "content-type", "date", "transfer-encoding"}) {
    if (equals_ignoring_case(name, ours)) return true;
  }
  return false;
}

httplib::Server::HandlerResponse give_body(const httplib::Request&, httplib::Response& to) {
  const int status = outgoing_now->response.status;
  to.status = status;
  if (status != 204 && status != 304) to.body = std::move(outgoing_now->response.body);
  return httplib::Server::HandlerResponse::Handled;
}

// httplib's last hook before the head is written: its own headers (Keep-Alive, Accept-Ranges) go.
void give_headers(const httplib::Request&, httplib::Response& to) {
  Outgoing& from = *outgoing_now;
  httplib::Headers& headers = to.headers;
  headers.clear();
  for (Header& header : from.response.headers) {
    if (!is_ours(header.name)) headers.emplace(std::move(header.name), std::move(header.value));
  }
  if (!from.response.content_type.empty()) {
    headers.emplace("Content-Type", std::move(from.response.content_type));
  }
  // RFC 9110 8.6: none in a 204; a 304's would be that of the 200, which nobody knows here.
  if (to.status != 204 && to.status != 304) {
    headers.emplace("Content-Length", std::to_string(to.body.size()));
  }
  headers.emplace("Date", http_date(std::time(nullptr)));
  headers.emplace("Server", "bentohost");
  if (from.close) headers.emplace("Connection", "close");
  if (from.keep_alive) headers.emplace("Connection", "keep-alive");
}

}  // namespace

// httplib makes one of these a listen and deletes it afterwards; the pool behind it stays.
class HttplibFront::Tasks final : public httplib::TaskQueue {
 public:
  Tasks(HttplibFront& front, ThreadPool& pool) : front_(front), pool_(pool) {}
  void enqueue(std::function<void()> connection) override {
    front_.take_on(std::move(connection), pool_);
  }
  void shutdown() override {}

 private:
  HttplibFront& front_;
  ThreadPool& pool_;
};

HttplibFront::HttplibFront(ServerOptions options, http::Handler handler,
                           http::Server::Rejected rejected)
    : context_{std::move(options), std::move(handler), std::move(rejected)} {
  set_pre_routing_handler(give_body);
  set_post_routing_handler(give_headers);
}

void HttplibFront::accept(int listener, ThreadPool& pool) {
  new_task_queue = [this, &pool] { return new Tasks(*this, pool); };
  while (!is_stopping_) {
    // A duplicate, for httplib closes its socket at any error of accept() but EMFILE.
    svr_sock_ = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    if (svr_sock_ != INVALID_SOCKET) listen_after_bind();
    if (is_stopping_) return;
    log_warning("accepting connections failed; trying again",
                {{"reason", std::generic_category().message(errno)}});
    // No event is asked for: only the listener's shutdown ends this pause early.
    pollfd entry{listener, 0, 0};
    poll(&entry, 1, kAcceptPauseMs);
  }
}

void HttplibFront::stop_accepting(int listener) {
  is_stopping_ = true;
  shutdown(listener, SHUT_RDWR);
}

void HttplibFront::take_on(std::function<void()> connection, ThreadPool& pool) {
  connections().admit();
  pool.run([self = shared_from_this(), connection = std::move(connection)] {
    connection();
    self->connections().leave();
  });
}

bool HttplibFront::process_and_close_socket(socket_t fd) {
  UniqueFd owned(fd);
  if (connections().mode() == Connections::Mode::kCut) return false;
  Connection(std::move(owned), context_, *this).serve();
  return true;
}

bool HttplibFront::write(Socket& socket, Outgoing outgoing) {
  WritingStream stream(socket, outgoing.omit_body);
  outgoing_now = &outgoing;
  // "Close" spares httplib the formatting of its Keep-Alive header; the connection is not its
  // business.
  bool is_closed = false;
  return process_request(stream, true, is_closed, nullptr) && stream.flush();
}

}  // namespace bentohost::http
