// Exchange: a request that a test goes on with by hand. Part of <bento/testing.hpp>.
//
//   auto exchange = host.begin({.method = "POST", .target = "/classify", .body = "[[1,2]]"});
//   EXPECT_FALSE(exchange.has_ended());  // the runner has not answered
//   host.turn();
//   EXPECT_TRUE(exchange.has_ended());
#pragma once

#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/client.hpp>
#include <bento/testing/fiber.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace bento::testing {

namespace internal {

// A request, from its beginning to the end of its background tasks.
struct Underway {
  Underway(Environment& environment, Request r)
      : request(std::move(r)), state(environment, nullptr) {}

  Request request;
  Scope scope;
  RequestState state;
  std::optional<Client> client;
  std::optional<Response> response;  // when it has ended
  std::optional<Fiber> fiber;        // if it is run by hand
};

}  // namespace internal

// The client's side. Valid as long as the Host; copies are of the same request. What it does has
// its effect when the host is turned.
class Exchange {
 public:
  explicit Exchange(std::shared_ptr<internal::Underway> underway)
      : underway_(std::move(underway)) {}

  // Whether the request has been answered, or cut off, and its background tasks have run.
  bool has_ended() const { return underway_->response.has_value(); }
  // What the client has received so far; a status of 0: nothing.
  const Response& so_far() const {
    return has_ended() ? *underway_->response : underway_->client->so_far();
  }
  // The whole answer. Throws Error if it has not ended.
  const Response& response() const {
    if (!has_ended()) throw Error(BENTO_FAILED_PRECONDITION, "the exchange has not ended yet");
    return *underway_->response;
  }

  // A piece of the body, and its end, for a request with .gives_body.
  void give(std::string piece) { underway_->client->give(std::move(piece)); }
  void end_body() { underway_->client->end_body(); }
  // Room for so many more pieces, for a request with .room.
  void take(std::size_t pieces) { underway_->client->take(pieces); }
  // The client goes away.
  void leave() { underway_->state.leave(); }

 private:
  std::shared_ptr<internal::Underway> underway_;
};

}  // namespace bento::testing
