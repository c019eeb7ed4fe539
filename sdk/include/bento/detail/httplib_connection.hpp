// HttplibConnection: presents one exchange of the host as a connection of cpp-httplib.
// Part of <bento/httplib_app.hpp>.
#pragma once

#include <httplib.h>

#include <algorithm>
#include <bento/app.hpp>
#include <bento/context.hpp>
#include <bento/detail/http_response_parser.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/stream.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento::detail {

// The Context of the request that a program answers on this thread: cpp-httplib passes no data of
// ours to its handlers.
inline thread_local Context* httplib_current = nullptr;

class HttplibContextScope {
 public:
  explicit HttplibContextScope(Context& context)
      : outer_(std::exchange(httplib_current, &context)) {}
  HttplibContextScope(const HttplibContextScope&) = delete;
  ~HttplibContextScope() { httplib_current = outer_; }

 private:
  Context* outer_;
};

// Escapes as %XX each byte for which `keeps` is false.
template <typename Keeps>
std::string escape(std::string_view text, Keeps keeps) {
  std::string out;
  for (const char c : text) {
    if (keeps(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    }
  }
  return out;
}
// A decoded path, escaped for a request line. '+' is escaped: cpp-httplib would read it as a blank.
inline std::string escape_path(std::string_view path) {
  return escape(path, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~/!$&'()*,;=:@").find(c) != std::string_view::npos;
  });
}
// Escapes a query, which is escaped already unless a middleware has set it.
inline std::string escape_query(std::string_view query) {
  return escape(query, [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

// The head of the request, as HTTP/1.1 on a connection of its own. Sets `is_chunked` if the body's
// length is not known.
inline std::string write_request_head(const bento_scope& scope, bool& is_chunked) {
  const std::string_view method = view(scope.method), query = view(scope.query);
  std::string head(method);
  head.append(" ").append(escape_path(path_below(scope)));
  if (!query.empty()) head.append("?").append(escape_query(query));
  head += " HTTP/1.1\r\n";
  bool has_length = false;
  for (std::size_t i = 0; i < scope.headers.len; ++i) {
    const std::string_view name = view(scope.headers.ptr[i].name);
    // The host handles these: it has read the body already, or reads it for us.
    if (name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
        name == "te" || name == "upgrade" || name == "expect") {
      continue;
    }
    has_length |= name == "content-length";
    head.append(name).append(": ").append(view(scope.headers.ptr[i].value)).append("\r\n");
  }
  is_chunked = !has_length &&
               (method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE");
  if (is_chunked) head += "Transfer-Encoding: chunked\r\n";
  return head + "Connection: close\r\n\r\n";
}

// "127.0.0.1:51034" or "[::1]:51034"; anything else is a name without a port.
inline void split_endpoint(std::string_view text, std::string& ip, int& port) {
  const std::size_t colon = text.rfind(':');
  ip = text.substr(0, colon);
  port = colon == text.npos ? 0 : std::atoi(std::string(text.substr(colon + 1)).c_str());
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
}

// One exchange as a connection of cpp-httplib, which must not see an exception: an error ends the
// connection, and finish() throws it.
class HttplibConnection final : public httplib::Stream {
 public:
  HttplibConnection(Context& context, bento::Stream& stream)
      : context_(context),
        stream_(stream),
        is_head_(view(context.scope().method) == "HEAD"),
        unread_(write_request_head(context.scope(), is_chunked_)),
        parser_(
            is_head_, [this](const HttpResponseParser::Head& head) { start(head); },
            [this](std::string_view piece) { send(piece); }) {
    split_endpoint(view(context.scope().client), remote_ip_, remote_port_);
    split_endpoint(view(context.scope().server), local_ip_, local_port_);
  }

  // Call it after the program. `is_whole`: the program has written its whole response.
  void finish(bool is_whole) {
    if (error_) std::rethrow_exception(error_);
    if (!is_whole && context_.cancelled()) throw Disconnected();
    if (!is_whole) throw Error(BENTO_INTERNAL, "the program ended before its answer did");
    parser_.close();
    if (!is_ended_) stream_.end();
  }

  bool is_readable() const override { return !error_; }
  bool is_writable() const override { return !error_ && !context_.cancelled(); }
  ssize_t read(char* to, std::size_t size) override {
    if (!guarded([&] {
          if (unread_.size() == read_ && !has_body_ended_) read_body();
        })) {
      return -1;
    }
    const std::size_t n = std::min(size, unread_.size() - read_);
    std::memcpy(to, unread_.data() + read_, n);
    read_ += n;
    return static_cast<ssize_t>(n);
  }
  using httplib::Stream::write;
  ssize_t write(const char* bytes, std::size_t size) override {
    const bool is_taken = guarded([&] { parser_.feed({bytes, size}); });
    return is_taken ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = remote_ip_;
    port = remote_port_;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip = local_ip_;
    port = local_port_;
  }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  template <typename F>
  bool guarded(F&& f) {
    if (error_) return false;
    try {
      f();
      return true;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }

  void read_body() {
    const std::optional<std::string_view> piece = stream_.receive();
    has_body_ended_ = !piece.has_value();
    read_ = 0;
    unread_ = piece.value_or(std::string_view());
    if (!is_chunked_) return;
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", unread_.size());
    unread_ = size + unread_ + "\r\n";
  }

  void start(const HttpResponseParser::Head& head) {
    Headers headers = head.headers;
    const std::string content_type(headers.get("content-type"));
    headers.remove("content-type");
    if (head.length) headers.set("Content-Length", std::to_string(*head.length));
    stream_.start(head.status, content_type, headers);
    if (is_head_) return stream_.send({});  // only the head, with the length that it states
    if (parser_.is_complete()) end({});
  }
  void send(std::string_view piece) {
    if (parser_.is_complete()) return end(piece);
    stream_.send(piece);
  }
  void end(std::string_view piece) {
    is_ended_ = true;
    stream_.end(piece);
  }

  Context& context_;
  bento::Stream& stream_;
  const bool is_head_;
  bool is_chunked_ = false;  // whether the program gets the request's body chunked
  std::string unread_;       // the request's bytes; unread from read_ on
  std::size_t read_ = 0;
  bool has_body_ended_ = false, is_ended_ = false;
  HttpResponseParser parser_;
  std::exception_ptr error_;
  std::string remote_ip_, local_ip_;
  int remote_port_ = 0, local_port_ = 0;
};

}  // namespace bento::detail
