// An exchange without a connection: it holds a request and records what is answered.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "http/message.h"

namespace bentohost::fakes {

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(std::string method, std::string path, std::string body = {}) {
    request_.method = std::move(method);
    request_.target = request_.path = std::move(path);
    request_.version = "HTTP/1.1";
    request_.client = "127.0.0.1:4711";
    request_.server = "127.0.0.1:3000";
    request_.body = std::move(body);
  }

  const http::Request& request() const override { return request_; }
  http::Request& request() { return request_; }
  void respond(http::Response response) override { responses.push_back(std::move(response)); }

  // The one that there should be; an empty one of status 0 if there are none or several.
  http::Response response() const {
    if (responses.size() == 1) return responses[0];
    http::Response none;
    none.status = 0;
    return none;
  }

  std::vector<http::Response> responses;

 private:
  http::Request request_;
};

}  // namespace bentohost::fakes
