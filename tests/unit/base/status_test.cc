#include "base/status.h"

#include <gtest/gtest.h>

#include <bento/testing/problem.hpp>
#include <cstring>
#include <memory>
#include <utility>

namespace bentohost {
namespace {

bento_error empty_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

TEST(Status, IsOkByDefault) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), BENTO_OK);
  EXPECT_EQ(status.http_status(), 200u);
  EXPECT_EQ(status.message(), "");
}

TEST(Status, AnswersWithTheStatusThatItsCodeImplies) {
  EXPECT_EQ(Status(BENTO_INVALID_ARGUMENT, "").http_status(), 400u);
  EXPECT_EQ(Status(BENTO_NOT_FOUND, "").http_status(), 404u);
  EXPECT_EQ(Status(BENTO_RESOURCE_EXHAUSTED, "").http_status(), 503u);
  EXPECT_EQ(Status(BENTO_DEADLINE_EXCEEDED, "").http_status(), 504u);
  EXPECT_EQ(Status(BENTO_INTERNAL, "").http_status(), 500u);
  EXPECT_EQ(Status(12345, "").http_status(), 500u) << "a code that the ABI does not name";
}

TEST(Status, PrefersAnExplicitHttpStatus) {
  const Status status = Status::with_http(422, BENTO_INVALID_ARGUMENT, "m");
  EXPECT_EQ(status.http_status(), 422u);
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
}

TEST(Status, KeepsItsCodeAndHttpStatusUnderAPrefix) {
  const Status status = Status::with_http(422, BENTO_INVALID_ARGUMENT, "bad").prefixed("body: ");
  EXPECT_EQ(status.message(), "body: bad");
  EXPECT_EQ(status.http_status(), 422u);
}

TEST(Status, ACopyIsItsOwn) {
  Status original = Status::with_http(422, BENTO_INVALID_ARGUMENT, "bad");
  Status copy = original;
  copy = std::move(copy).prefixed("body: ");
  EXPECT_EQ(original.message(), "bad");
  EXPECT_EQ(copy.message(), "body: bad");
  EXPECT_EQ(copy.http_status(), 422u);
  copy = Status();
  EXPECT_TRUE(copy.ok());
  copy = original;
  EXPECT_EQ(copy.message(), "bad");
  EXPECT_EQ(copy.code(), BENTO_INVALID_ARGUMENT);
}

TEST(Status, WhatWasMovedFromIsOk) {
  Status from(BENTO_NOT_FOUND, "none");
  const Status to = std::move(from);
  EXPECT_EQ(to.message(), "none");
  EXPECT_TRUE(from.ok());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(from.message(), "");
}

TEST(Status, ReadsWhatAPluginLeft) {
  bento_error error = empty_error();
  std::strcpy(error.message, "no model");
  error.http_status = 424;
  const Status status = Status::from_plugin(BENTO_NOT_FOUND, error);
  EXPECT_EQ(status.message(), "no model");
  EXPECT_EQ(status.http_status(), 424u);
}

TEST(Status, SurvivesAPluginMessageWithoutAnEnd) {
  bento_error error = empty_error();
  std::memset(error.message, 'x', sizeof error.message);
  EXPECT_EQ(Status::from_plugin(BENTO_INTERNAL, error).message(),
            std::string(sizeof error.message, 'x'));
}

TEST(Status, NamesTheCodeWhereAPluginLeftNoMessage) {
  EXPECT_EQ(Status::from_plugin(BENTO_UNAVAILABLE, empty_error()).message(), "UNAVAILABLE");
}

TEST(Status, GivesAPluginATruncatedAndTerminatedMessage) {
  bento_error error = empty_error();
  const Status status = Status::with_http(422, BENTO_INVALID_ARGUMENT, std::string(2000, 'm'));
  EXPECT_EQ(status.give(&error), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(error.code, BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(error.http_status, 422u);
  EXPECT_EQ(std::strlen(error.message), sizeof error.message - 1);
  EXPECT_EQ(status.give(nullptr), BENTO_INVALID_ARGUMENT);
}

TEST(Status, GivesNothingWhenOk) {
  bento_error error = empty_error();
  error.code = 77;
  EXPECT_EQ(Status().give(&error), BENTO_OK);
  EXPECT_EQ(error.code, 77) << "filled exactly when the call returns non-OK";
}

TEST(Status, IsA500WhereAPluginHasCalledTheHostWrongly) {
  for (const bento_code code :
       {BENTO_INVALID_ARGUMENT, BENTO_NOT_FOUND, BENTO_FAILED_PRECONDITION, BENTO_UNIMPLEMENTED,
        BENTO_PERMISSION_DENIED, BENTO_UNAUTHENTICATED}) {
    const Status status = Status(code, "wrong").as_misuse();
    EXPECT_EQ(status.http_status(), 500u) << code;
    EXPECT_EQ(status.code(), code);
    bento_error error = empty_error();
    EXPECT_EQ(Status::from_plugin(status.give(&error), error).http_status(), 500u)
        << "the plugin passes it on";
  }
  EXPECT_EQ(Status(BENTO_UNAVAILABLE, "no worker").as_misuse().http_status(), 503u);
  EXPECT_EQ(Status(BENTO_DEADLINE_EXCEEDED, "late").as_misuse().http_status(), 504u);
  EXPECT_EQ(Status(BENTO_CANCELLED, "gone").as_misuse().http_status(), 499u);
  EXPECT_EQ(Status::with_http(413, BENTO_INVALID_ARGUMENT, "long").as_misuse().http_status(), 413u);
  EXPECT_TRUE(Status().as_misuse().ok());
}

TEST(Status, IsA500WhereAPluginsErrorHasAStatusThatIsNone) {
  bento_error error = empty_error();
  for (const std::uint32_t status : {99u, 200u, 302u, 399u, 600u, 4000u}) {
    error.http_status = status;
    EXPECT_EQ(Status::from_plugin(BENTO_NOT_FOUND, error).http_status(), 500u) << status;
  }
  error.http_status = 418;
  EXPECT_EQ(Status::from_plugin(BENTO_NOT_FOUND, error).http_status(), 418u);
}

// bento::testing::Host has a copy of the table, as it cannot include this one.
TEST(Status, HasTheHttpStatusThatTheSdksTestHostSays) {
  for (bento_code code = 1; code < 20; ++code) {
    if (code == BENTO_CANCELLED) continue;  // 499 is for the log: it is never sent
    EXPECT_EQ(http_from_code(code), bento::testing::internal::http_status(bento::Error(code, "")))
        << code;
  }
}

TEST(Result, HoldsAValueOrTheReasonWhyThereIsNone) {
  const Result<int> value = 7;
  EXPECT_TRUE(value.ok());
  EXPECT_EQ(*value, 7);
  EXPECT_TRUE(value.status().ok());
  const Result<int> none = Status(BENTO_NOT_FOUND, "none");
  EXPECT_FALSE(none.ok());
  EXPECT_EQ(none.status().message(), "none");
}

TEST(Result, MovesOutWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> held = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(held);
  EXPECT_EQ(*taken, 3);
  Result<std::unique_ptr<int>> none = Status(BENTO_INTERNAL, "broke");
  EXPECT_EQ(std::move(none).take_status().message(), "broke");
}

TEST(BentoStr, ReadsANullPointerAsEmpty) {
  EXPECT_EQ(to_view({nullptr, 5}), "");
  EXPECT_EQ(to_view(to_bento("abc")), "abc");
}

}  // namespace
}  // namespace bentohost
