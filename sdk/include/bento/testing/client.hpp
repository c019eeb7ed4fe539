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
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

class Client : public AnswerChannel {
 public:
  Client(const Request& request, RequestState& state)
      : request_(request), state_(state), is_head_(request.method == "HEAD") {}

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
    const std::string_view piece =
        std::string_view(request_.body).substr(received_, request_.piece_size);
    received_ += piece.size();
    has_body_ended_ = received_ == request_.body.size();
    out.type = BENTO_REQUEST_BODY;
    out.more = has_body_ended_ ? 0 : 1;
    out.body = {piece.data(), piece.size()};
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
    response_.body += piece;
    if (!piece.empty()) ++taken_;
    state_.is_gone = more && taken_ >= request_.takes;
  }

  const Request& request_;
  RequestState& state_;
  const bool is_head_;
  Response response_;
  std::size_t received_ = 0, taken_ = 0;
  bool has_body_ended_ = false;
  std::optional<std::uint64_t> left_;  // of the response's body, if its head stated the length
};

}  // namespace bento::testing::internal
