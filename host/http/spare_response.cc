#include "http/spare_response.h"

#include <utility>

namespace bentohost::http {
namespace {

constexpr std::size_t kMostBody = 16u << 10;
constexpr std::size_t kMostContentType = 256;
constexpr std::size_t kMostHeaders = 32;

struct Spare {
  std::string content_type, body;
  Headers headers;
};

Spare& spare() {
  thread_local Spare one;
  return one;
}

}  // namespace

Response take_spare_response() {
  Spare& from = spare();
  Response response;
  response.content_type = std::move(from.content_type);
  response.body = std::move(from.body);
  response.headers = std::move(from.headers);
  return response;
}

void keep_spare_response(Response&& response) {
  if (response.headers.capacity() == 0) return;  // little would be won
  if (response.body.capacity() > kMostBody || response.headers.capacity() > kMostHeaders ||
      response.content_type.capacity() > kMostContentType) {
    return;
  }
  Spare& to = spare();
  to.content_type = std::move(response.content_type);
  to.body = std::move(response.body);
  to.headers = std::move(response.headers);
  to.content_type.clear();
  to.body.clear();
  to.headers.clear();
}

}  // namespace bentohost::http
