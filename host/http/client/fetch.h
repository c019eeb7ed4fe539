// Fetch: one request to another server, from its start to the end of the response. [loop] In a
// shared_ptr, which it keeps itself until its end.
//
//   waits for a connection -> sends and reads -> ends
//                 ^                 |  (once, if it may be sent twice)
//                 +-----------------+
//
// Sending and reading go on side by side: a server may answer before it has read all of a body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/client/connection.h"
#include "http/client/failure.h"
#include "http/client/fetch_request.h"
#include "http/client/origin.h"
#include "http/message.h"
#include "http/parse/response_reader.h"

namespace bentohost::http {

// Who gets the response. [loop] Never called from within start(), resume() or cancel().
class FetchUser {
 public:
  // The head, with an empty body. Its Content-Type is among the headers.
  virtual void on_head(Response head) = 0;
  // The next piece of the body.
  virtual void on_body(std::string_view piece) = 0;
  // The last call, and exactly one: the response is complete, or the request has failed, perhaps in
  // the middle of the body.
  virtual void on_end(FetchFailure failure) = 0;
  // False: no more is read until resume().
  virtual bool has_room() const { return true; }

 protected:
  ~FetchUser() = default;
};

class Fetch final : public std::enable_shared_from_this<Fetch>,
                    private ClientConnection::User,
                    private Origin::Waiter,
                    private Timer::Owner {
 public:
  Fetch(ClientLoop& shared, FetchRequest request, std::shared_ptr<FetchUser> user);

  // Once. `origin` is that of the request.
  void start(std::shared_ptr<Origin> origin);
  // The user has room again.
  void resume();
  // Nobody wants the response any more: the user is not called any more.
  void cancel();
  // Ends it with this.
  void fail(FetchFailure failure);

 private:
  static constexpr std::size_t kReadSize = 64u << 10;

  void acquire(bool fresh);
  void begin(std::unique_ptr<ClientConnection> connection);
  void run_later();
  void run();
  void send();
  void read();
  bool take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  bool take_body(std::string_view bytes);
  void on_server_end(bool is_broken);
  void complete(bool has_extra_bytes);
  void on_too_large();
  std::shared_ptr<FetchUser> end(bool is_reusable);

  // Origin::Waiter
  void on_acquired(std::unique_ptr<ClientConnection> connection) override;
  void on_no_connection(FetchFailure failure) override { fail(std::move(failure)); }
  // ClientConnection::User
  void on_connection(ClientConnection&) override { run(); }
  void on_expired(ClientConnection&) override {}
  void on_timer() override;

  ClientLoop& shared_;
  const FetchRequest request_;
  const std::string head_;
  std::shared_ptr<FetchUser> user_;  // null: it has ended
  std::shared_ptr<Fetch> self_;      // until its end
  std::shared_ptr<Origin> origin_;
  std::unique_ptr<ClientConnection> connection_;
  Timer timer_;

  std::size_t sent_ = 0;  // of head and body
  bool is_write_broken_ = false;
  ResponseReader reader_{ResponseReader::Peer::kServer};
  Response response_;
  std::string unread_;  // the beginning of a head
  std::uint64_t body_size_ = 0;
  bool has_read_ = false, has_repeated_ = false, is_run_posted_ = false;
};

}  // namespace bentohost::http
