#include "reload/reload_result.h"

#include <gtest/gtest.h>

namespace bentohost::reload {
namespace {

int http_status(Status status, const char* result) {
  const SteadyClock clock;
  return ReloadResult{std::move(status), result, 1, Progress(clock)}.http_status();
}

TEST(ReloadResult, IsAnsweredAsTheStepSaysAndNotAsTheCode) {
  for (const bento_code code : {BENTO_INVALID_ARGUMENT, BENTO_UNAVAILABLE, BENTO_INTERNAL}) {
    EXPECT_EQ(http_status(Status(code, "no"), "create"), 422);
    EXPECT_EQ(http_status(Status(code, "no"), "runners"), 409);
  }
}

TEST(ReloadResult, TellsReloadsThatWereNotBegunApart) {
  EXPECT_EQ(http_status(Status(BENTO_NOT_FOUND, "no"), "unknown"), 404);
  EXPECT_EQ(http_status(Status(BENTO_UNAVAILABLE, "no"), "busy"), 503);
  EXPECT_EQ(http_status(Status(BENTO_UNAVAILABLE, "no"), "stopping"), 503);
}

TEST(ReloadResult, IsNoFailureWhereTheFileServes) {
  EXPECT_EQ(http_status({}, "ok"), 200);
  EXPECT_EQ(http_status({}, "unchanged"), 200);
}

}  // namespace
}  // namespace bentohost::reload
