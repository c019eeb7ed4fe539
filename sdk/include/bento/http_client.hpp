// HttpClient: calls another HTTP service, as a background task does to deliver a result. An
// optional part, not in <bento/bento.hpp>: what includes it links cpp-httplib.
//
//   const bento::HttpClient client{{.timeout = std::chrono::seconds(5)}};
//   client.post_json(url, R"({"class":0})").check();
//
// For tasks and handlers that tell another server of something. http://, and https:// where
// cpp-httplib was built with OpenSSL; then the server's certificate is held against the system's.
// No proxies, redirects, cookies or retries. Each call has a connection of its own, and waits; a
// client is const, and any number of threads may call it.
#pragma once

#include <httplib.h>

#include <bento/detail/http_url.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bento {

struct HttpClientOptions {
  std::chrono::milliseconds connect_timeout{2000};
  // For each wait for the server, and for a whole call with its answer. (The look-up of the
  // server's name is the system's, and may take longer.)
  std::chrono::milliseconds timeout{10000};
  std::size_t max_answer = 16u << 20;  // bytes of an answer's body
  Headers headers = {};                // of every request
};

// What a server has answered, whatever the status.
struct HttpAnswer {
  int status = 0;
  Headers headers = {};
  std::string body = {};
  std::string url = {};  // as the caller wrote it

  bool is_success() const { return status >= 200 && status < 300; }
  // Throws Error, UNAVAILABLE, with the URL and the status, unless it is a success.
  void check() const {
    if (!is_success()) {
      throw Error(BENTO_UNAVAILABLE, url + ": answered " + std::to_string(status));
    }
  }
};

class HttpClient {
 public:
  // Copies the options; connects to nothing yet.
  explicit HttpClient(HttpClientOptions options = {}) : options_(std::move(options)) {}

  // [waits] `url` is http:// or https://, with everything percent-encoded that has to be, without a
  // user name; what is behind a '#' is not sent. Returns an answer of any status. Throws Error,
  // whose message names the URL and the cause (a client sees it if it is let pass and is not a
  // 500):
  //   INVALID_ARGUMENT, 500   a URL of another form
  //   DEADLINE_EXCEEDED       no connection within connect_timeout, or no answer within timeout
  //   RESOURCE_EXHAUSTED      an answer of more than max_answer bytes
  //   UNIMPLEMENTED           https:// without OpenSSL
  //   UNAVAILABLE             all else: refused, broken off, a certificate that is not trusted
  HttpAnswer get(const std::string& url) const { return send("GET", url, {}, {}); }
  HttpAnswer post_json(const std::string& url, std::string json) const {
    return send("POST", url, std::move(json), "application/json");
  }
  HttpAnswer send(std::string method, const std::string& url, std::string body,
                  const std::string& content_type) const {
    const detail::HttpUrl where = detail::HttpUrl::parse(url);
    httplib::Request request;
    request.method = std::move(method);
    request.path = where.target;
    request.body = std::move(body);
    for (const auto& [name, value] : options_.headers) request.headers.emplace(name, value);
    if (!content_type.empty()) request.headers.emplace("Content-Type", content_type);

    HttpAnswer answer;
    answer.url = url;
    const auto begin = std::chrono::steady_clock::now();
    const auto is_late = [&] {
      return std::chrono::steady_clock::now() - begin >= options_.timeout;
    };
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                   std::uint64_t) {
      answer.body.append(data, size);
      return answer.body.size() <= options_.max_answer && !is_late();
    };
    const httplib::Result result = connection_to(where, url)->send(request);
    if (!result) throw failure(result.error(), answer, is_late());
    answer.status = result->status;
    for (const auto& [name, value] : result->headers) answer.headers.add(name, value);
    return answer;
  }

 private:
  std::unique_ptr<httplib::ClientImpl> connection_to(const detail::HttpUrl& where,
                                                     const std::string& url) const {
    std::unique_ptr<httplib::ClientImpl> client;
    if (where.is_tls) {
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
      client = std::make_unique<httplib::SSLClient>(where.host, where.port);
#else
      throw Error(BENTO_UNIMPLEMENTED, url + ": cpp-httplib was built without OpenSSL");
#endif
    } else {
      client = std::make_unique<httplib::ClientImpl>(where.host, where.port);
    }
    if (!client->is_valid()) throw Error(BENTO_UNAVAILABLE, url + ": no TLS");
    client->set_connection_timeout(options_.connect_timeout);
    client->set_read_timeout(options_.timeout);
    client->set_write_timeout(options_.timeout);
    client->set_url_encode(false);  // a URL is encoded already
    return client;
  }

  // cpp-httplib tells a reader that was too slow as any other that failed.
  Error failure(httplib::Error error, const HttpAnswer& answer, bool is_late) const {
    const auto ms = [](std::chrono::milliseconds time) {
      return std::to_string(time.count()) + " ms";
    };
    if (error == httplib::Error::ConnectionTimeout) {
      return {BENTO_DEADLINE_EXCEEDED,
              answer.url + ": no connection within " + ms(options_.connect_timeout)};
    }
    if (answer.body.size() > options_.max_answer) {
      return {BENTO_RESOURCE_EXHAUSTED, answer.url + ": an answer of more than " +
                                            std::to_string(options_.max_answer) + " bytes"};
    }
    if (is_late && error != httplib::Error::Connection) {
      return {BENTO_DEADLINE_EXCEEDED,
              answer.url + ": no whole answer within " + ms(options_.timeout)};
    }
    return {BENTO_UNAVAILABLE, answer.url + ": " + what(error)};
  }
  static std::string what(httplib::Error error) {
    switch (error) {
      case httplib::Error::Connection:
        return "cannot connect";
      case httplib::Error::Read:
        return "the connection ended before the answer";
      case httplib::Error::Write:
        return "the connection ended before the request was sent";
      case httplib::Error::SSLConnection:
        return "no TLS connection";
      case httplib::Error::SSLServerVerification:
        return "the server's certificate is not to be trusted";
      default:
        return "failed: " + httplib::to_string(error);
    }
  }

  HttpClientOptions options_;
};

}  // namespace bento
