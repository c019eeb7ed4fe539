// Upload: the way of one request to a server: its head, then its body, which is whole or comes from
// the client meanwhile. After a 101, the client's bytes of the tunnel. At most one piece of a body
// is held. [loop]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "upstream/connection.h"
#include "upstream/downstream.h"
#include "upstream/request_head.h"
#include "upstream/upstream_options.h"

namespace bentohost::upstream {

class Upload {
 public:
  // What is here of the body: all of it, or the beginning, and the rest comes from the client.
  struct Body {
    std::optional<std::string_view> whole;
    std::string_view early;
  };
  // Begins the request, or begins it again, on a connection that has not been written to. The body
  // must outlive its sending.
  void begin(const Downstream& downstream, const UpstreamOptions& options, const Body& body,
             Connection& connection, TimePoint now);
  void begin_tunnel() { is_streaming_ = is_tunnel_ = true; }

  // Sends as much as is there and as the server takes. An error: the client will not send the rest,
  // or a body has another length than was announced, as middleware may make it.
  Status pump(Downstream& downstream, Connection& connection, TimePoint now);

  // Bytes wait for the server to take them.
  bool is_blocked() const { return is_blocked_; }
  TimePoint progress() const { return progress_; }  // when it last took some
  // All of the request was sent; of a tunnel, the client has ended its side.
  bool is_complete() const { return !is_streaming_ && !is_blocked_ && !is_broken_; }
  // The server takes no more of it. It may have answered.
  bool is_broken() const { return is_broken_; }
  bool has_written() const { return has_written_; }
  // Whether begin() can begin it again: nothing was taken from the client.
  bool is_repeatable() const { return !has_received_; }

 private:
  bool flush(Connection& connection, TimePoint now);
  Status add(std::string&& bytes, bool more, std::string& output);

  BodyFraming framing_;
  std::uint64_t left_ = 0;  // of a body with a length
  std::size_t sent_ = 0;    // of the connection's output
  std::string_view body_;   // behind the output: what is left of the body, or of `piece_`
  std::string piece_;
  TimePoint progress_{};
  bool is_streaming_ = false;  // more is to come from the client
  bool is_tunnel_ = false;
  bool is_blocked_ = false;
  bool is_broken_ = false;
  bool has_written_ = false;
  bool has_received_ = false;
};

}  // namespace bentohost::upstream
