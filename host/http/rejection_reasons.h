// Why requests and connections are rejected: the values of the label `reason` of
// bentohost_http_rejected_total.
#pragma once

#include <string_view>

namespace bentohost::http::reason {

inline constexpr std::string_view kMalformed = "malformed";
inline constexpr std::string_view kTargetSize = "target_size";
inline constexpr std::string_view kHeadSize = "head_size";
inline constexpr std::string_view kBodySize = "body_size";
inline constexpr std::string_view kHeaderTimeout = "header_timeout";
inline constexpr std::string_view kBodyTimeout = "body_timeout";
inline constexpr std::string_view kMinRate = "min_rate";
inline constexpr std::string_view kWriteTimeout = "write_timeout";
inline constexpr std::string_view kBodyMemory = "body_memory";
inline constexpr std::string_view kHandlerQueue = "handler_queue";
inline constexpr std::string_view kClientConnections = "client_connections";
inline constexpr std::string_view kAdminConnections = "admin_connections";
inline constexpr std::string_view kOther = "other";

}  // namespace bentohost::http::reason
