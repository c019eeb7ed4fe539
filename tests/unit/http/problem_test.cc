#include "http/problem.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(Problem, WritesEachMemberThatItIsGiven) {
  const Response response = problem(404, "no such \"path\"", "/a", "r-1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Not Found","status":404,)"
                           R"("detail":"no such \"path\"","instance":"/a","request_id":"r-1"})");
}

TEST(Problem, LeavesEmptyMembersOut) {
  EXPECT_EQ(problem(500, {}).body,
            R"({"type":"about:blank","title":"Internal Server Error","status":500})");
}

TEST(Problem, StaysJsonWhenAPathIsNotUtf8) {
  EXPECT_EQ(problem(404, {}, "/\xff\xc3\xa9").body,
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
            "\"instance\":\"/\\ufffd\xc3\xa9\"}");
}

TEST(Problem, TellsAClientOfA503WhenToComeBack) {
  const Response response = problem(503, "draining");
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].name, "Retry-After");
  EXPECT_EQ(response.headers[0].value, "1");
  EXPECT_TRUE(problem(502, {}).headers.empty());
}

TEST(ReasonPhrase, IsErrorForAStatusWithoutName) {
  EXPECT_EQ(reason_phrase(422), "Unprocessable Content");
  EXPECT_EQ(reason_phrase(799), "Error");
}

}  // namespace
}  // namespace bentohost::http
