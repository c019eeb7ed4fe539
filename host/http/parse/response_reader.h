// ResponseReader: turns the bytes of a server into one response: head, framing, body. Strict (RFC
// 9112): no bare LF, no obs-fold, one length. Pure: bytes in, values out; one thread at a time. An
// error says how the response is malformed, for the log; its http_status() is 502, and the
// connection cannot be used any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/parse/dechunker.h"

namespace bentohost::http {

class ResponseReader {
 public:
  static constexpr std::size_t kMaxHead = 64u << 10;

  enum class State {
    kHead,    // within the head, or within an interim response (1xx), which is skipped
    kBody,    // within the body
    kDone,    // complete
    kTunnel,  // 101: what follows are no longer HTTP's bytes
  };

  // Whose responses they are. Of an app's, `read_head` leaves out the fields that the host writes
  // itself: Server, Date and X-Request-Id. Of any other server's it leaves in Content-Length, too.
  enum class Peer { kApp, kServer };
  explicit ResponseReader(Peer peer = Peer::kApp) : peer_(peer) {}

  // For the next response: to a HEAD request, or to one that asks for a WebSocket.
  void begin(bool is_head, bool wants_upgrade);
  State state() const { return state_; }

  // At kHead: takes what it can use, and returns how much that is. `bytes` must begin where the
  // last call stopped: offer bytes that were not taken again, with more behind them. Fills status,
  // content_type and headers. Left out of these are the fields that concern only this connection
  // (RFC 9110 7.6.1), but not the Upgrade of a 101; those that frame the body; and what `Peer`
  // says.
  Result<std::size_t> read_head(std::string_view bytes, Response& response);

  // At kBody: `data` is the next part of the body. It lies in `bytes` or in this reader, and is
  // valid until the next call.
  struct Piece {
    std::size_t taken = 0;
    std::string_view data;
  };
  Result<Piece> read_body(std::string_view bytes);

  // The server has closed the connection. OK if that completes the response: now it is kDone.
  Status end();

  // After the head: the Content-Length, if the response has one that counts. For HEAD it is that of
  // the GET.
  std::optional<std::uint64_t> content_length() const { return length_; }
  // Bytes of the body that are still to come, if that is known.
  std::optional<std::uint64_t> left() const;
  // At kDone: whether the server keeps the connection open.
  bool keeps_connection() const { return keeps_connection_; }

 private:
  enum class Framing { kNone, kSized, kChunked, kToClose };

  Status malformed(std::string_view why) const;
  std::string_view peer_name() const;
  void begin_head();
  Status take_line(std::string_view line, Response& response);
  Status take_status_line(std::string_view line, Response& response);
  Status take_field(std::string_view line, Response& response);
  bool keep_field(std::string_view name, std::string_view value, Status& status);
  Status take_length(std::string_view value);
  Status take_coding(std::string_view value);
  void take_connection(std::string_view value);
  Status end_head(Response& response);
  void drop_named(Response& response) const;

  const Peer peer_;
  bool is_head_ = false, wants_upgrade_ = false;
  State state_ = State::kHead;
  std::size_t scanned_ = 0;  // of bytes that were offered and not taken
  std::size_t head_size_ = 0;
  bool has_status_line_ = false;

  // ---- what the head says
  bool is_http_1_0_ = false;
  bool is_chunked_ = false, closes_ = false, keeps_alive_ = false, names_fields_ = false;
  bool is_websocket_ = false;
  std::optional<std::uint64_t> length_;
  std::string connection_;  // the Connection fields, joined

  // ---- the body
  Framing framing_ = Framing::kNone;
  std::uint64_t left_ = 0;  // of a sized body
  std::optional<Dechunker> dechunker_;
  std::string dechunked_;
  bool keeps_connection_ = false;
};

}  // namespace bentohost::http
