// Client: the client's end of an exchange: sends the request's body and keeps the response. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/state.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

class Client : public AnswerChannel {
 public:
  Client(const Request& request, RequestState& state)
      : request_(request),
        state_(state),
        is_head_(request.method == "HEAD"),
        is_body_whole_(!request.gives_body),
        room_(request.room),
        can_receive_(state.environment.loop, state),
        can_send_(state.environment.loop, state) {}

  const Response& so_far() const { return response_; }
  // By hand: pieces of the body, its end, and room for so many more of the response.
  void give(std::string piece) {
    given_.push_back(std::move(piece));
    can_receive_.tell();
  }
  void end_body() {
    is_body_whole_ = true;
    can_receive_.tell();
  }
  void take(std::size_t pieces) {
    room_ += pieces;
    can_send_.tell();
  }

  Response take_response() && {
    response_.is_whole = has_ended() && left_.value_or(0) == 0;
    response_.content_type = response_.headers.get("content-type");
    return std::move(response_);
  }

 protected:
  void receive(bento_event& out) override {
    out.type = BENTO_DISCONNECT;
    if (state_.is_gone || has_ended()) return;
    if (has_body_ended_) misuse("the body has ended");
    if (state_.is_on_loop) state_.check_cancelled();
    while (!has_body()) {
      wait_unless_on_loop("nothing has come yet");
      if (state_.is_gone) return;
    }
    std::string_view piece = std::string_view(request_.body).substr(received_, request_.piece_size);
    received_ += piece.size();
    if (piece.empty() && !given_.empty()) {
      piece_ = std::move(given_.front());
      given_.pop_front();
      piece = piece_;
    }
    has_body_ended_ = is_body_whole_ && received_ == request_.body.size() && given_.empty();
    out.type = BENTO_REQUEST_BODY;
    out.more = has_body_ended_ ? 0 : 1;
    out.body = {piece.data(), piece.size()};
  }
  bool when(std::uint32_t what, void (*wake)(void*), void* arg) override {
    const bool is_receiving = what == kCanReceive;
    const bool is_ready = is_receiving ? has_body() || has_ended() : has_room();
    if (is_ready || state_.is_gone || state_.cancel_code != BENTO_OK) return false;
    (is_receiving ? can_receive_ : can_send_).ask(wake, arg);
    return true;
  }
  void on_head(AnswerHead head, std::string_view piece, bool more) override {
    response_.status = head.status;
    response_.headers = std::move(head.headers);
    if (!more) {
      response_.headers.set("Content-Length", std::to_string(piece.size()));
    } else if (!is_head_) {
      left_ = content_length(response_.headers);
    }
    take(piece, more);
  }
  void on_piece(std::string_view piece, bool more) override { take(piece, more); }

 private:
  // The length in the head of a response, which its pieces must add up to.
  static std::optional<std::uint64_t> content_length(const Headers& headers) {
    const std::string_view text = headers.get("content-length");
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (text.empty() || error != std::errc()) return std::nullopt;
    return length;
  }

  static constexpr std::uint32_t kCanReceive = 1;  // BENTO_CAN_RECEIVE, which is not in ABI 1.0

  bool has_body() const {
    return received_ < request_.body.size() || !given_.empty() || is_body_whole_;
  }
  bool has_room() const { return taken_ < room_; }
  void wait_unless_on_loop(const char* why) {
    state_.check_cancelled();
    if (state_.is_on_loop) throw Error(kPending, why);
    state_.environment.wait(state_);
  }

  void take(std::string_view piece, bool more) {
    if (is_head_) {
      if (more) throw Error(BENTO_CANCELLED, "a response to HEAD has no body");
      return;
    }
    if (state_.is_gone) {
      left_ = 1;  // the client does not get all of the body
      throw Error(BENTO_CANCELLED, "the client is gone");
    }
    if (left_) {
      if (piece.size() > *left_) misuse("more bytes than its Content-Length says");
      *left_ -= piece.size();
    }
    while (!piece.empty() && !state_.is_on_loop && !has_room() && !state_.is_cancelled()) {
      state_.environment.wait(state_);
    }
    response_.body += piece;
    if (!piece.empty()) ++taken_;
    if (more && taken_ >= request_.takes) state_.leave();
  }

  const Request& request_;
  RequestState& state_;
  const bool is_head_;
  Response response_;
  std::size_t received_ = 0, taken_ = 0;
  bool has_body_ended_ = false, is_body_whole_;
  std::deque<std::string> given_;
  std::string piece_;  // the one that has been received last
  std::size_t room_;
  Wake can_receive_, can_send_;
  std::optional<std::uint64_t> left_;  // of the response's body, if its head stated the length
};

}  // namespace bento::testing::internal
