#include "http/spare_response.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace bentohost::http {
namespace {

Response with_headers(std::string body) {
  Response response = Response::json(503, std::move(body));
  response.headers = {{"X-A", "1"}};
  response.close = true;
  response.failure = std::make_shared<const Status>(BENTO_INTERNAL, "why");
  return response;
}

TEST(SpareResponse, HasTheMemoryOfTheLastOneAndNothingOfItsContents) {
  keep_spare_response(with_headers(std::string(1000, 'x')));
  const Response next = take_spare_response();
  EXPECT_GE(next.body.capacity(), 1000u);
  EXPECT_GE(next.headers.capacity(), 1u);
  EXPECT_EQ(next.body, "");
  EXPECT_EQ(next.content_type, "");
  EXPECT_TRUE(next.headers.empty());
  EXPECT_EQ(next.status, 200);
  EXPECT_FALSE(next.close);
  EXPECT_EQ(next.failure, nullptr);
}

TEST(SpareResponse, IsTakenOnce) {
  keep_spare_response(with_headers(std::string(1000, 'x')));
  (void)take_spare_response();
  EXPECT_LT(take_spare_response().body.capacity(), 1000u);
}

TEST(SpareResponse, KeepsNothingLarge) {
  (void)take_spare_response();
  keep_spare_response(with_headers(std::string(1u << 20, 'x')));
  EXPECT_LT(take_spare_response().body.capacity(), 1u << 20);
}

TEST(SpareResponse, PassesOverAResponseWithoutHeaders) {
  keep_spare_response(with_headers(std::string(1000, 'x')));
  keep_spare_response(Response::text(200, "ok"));
  EXPECT_GE(take_spare_response().body.capacity(), 1000u);
}

}  // namespace
}  // namespace bentohost::http
