// The head of the request that an app gets: what the client sent, without what concerns only the
// client's connection, with what the host knows of the client in the place of what the client says
// about itself. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"
#include "upstream/upstream_options.h"

namespace bentohost::upstream {

// How the request's body is framed for the app.
struct BodyFraming {
  enum class Kind { kNone, kSized, kChunked } kind = Kind::kNone;
  std::uint64_t length = 0;  // of kSized
};

// A body that has not arrived yet has the length that its Content-Length says, else it is chunked.
// `whole` is the size of one that has.
BodyFraming body_framing(const http::Request& request, std::optional<std::size_t> whole);

// Whether the request asks for a WebSocket (RFC 6455 4.1): the only upgrade that is passed on.
bool wants_websocket(const http::Request& request);

// The target for the app: the bytes that the client sent, without the mount's prefix if
// `options.strips_prefix`. If the request's path is no longer what these bytes say (middleware has
// changed it, or the target has dot segments), the target is made of the path and the query.
std::string app_target(const http::Request& request, const UpstreamOptions& options);

// What the host says of the request: in X-Request-Id, and in X-Bento-Deadline-Ms how long its
// client will wait for the response to begin.
struct RequestNote {
  std::string_view id;
  Duration left = Duration::max();  // max: for ever
};

// Appends the whole head, with its empty line.
void append_request_head(const http::Request& request, const UpstreamOptions& options,
                         const RequestNote& note, BodyFraming framing, std::string& out);

}  // namespace bentohost::upstream
