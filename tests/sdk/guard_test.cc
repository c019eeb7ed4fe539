// Nothing that is thrown crosses the line to the host.
#include <gtest/gtest.h>

#include <bento/error.hpp>
#include <string>

namespace bento::detail {
namespace {

template <typename F>
bento_error guarded(F f) {
  bento_error error = make_error();
  const bento_code code = guard(&error, f);
  EXPECT_EQ(code, error.code);
  return error;
}

TEST(Guard, LetsSuccessThrough) {
  bool ran = false;
  EXPECT_EQ(guarded([&] { ran = true; }).code, BENTO_OK);
  EXPECT_TRUE(ran);
}

TEST(Guard, KeepsAnErrorsCodeStatusAndMessage) {
  const bento_error error = guarded([] { throw Error(BENTO_NOT_FOUND, "no such flower", 410); });
  EXPECT_EQ(error.code, BENTO_NOT_FOUND);
  EXPECT_EQ(error.http_status, 410u);
  EXPECT_STREQ(error.message, "no such flower");
}

TEST(Guard, TakesNothingThatWasThrownForSuccess) {
  const bento_error error = guarded([] { throw Error(BENTO_OK, "all is well"); });
  EXPECT_EQ(error.code, BENTO_UNKNOWN);
}

TEST(Guard, MakesInternalErrorsOfOtherExceptions) {
  EXPECT_STREQ(guarded([] { throw std::out_of_range("row 7"); }).message, "row 7");
  EXPECT_EQ(guarded([] { throw std::out_of_range("row 7"); }).code, BENTO_INTERNAL);
  EXPECT_EQ(guarded([] { throw 42; }).code, BENTO_INTERNAL);
  EXPECT_EQ(guarded([] { throw std::bad_alloc(); }).code, BENTO_RESOURCE_EXHAUSTED);
}

TEST(Guard, CutsAMessageThatIsTooLong) {
  const bento_error error = guarded([] { throw std::runtime_error(std::string(10'000, 'x')); });
  EXPECT_EQ(std::string(error.message), std::string(sizeof error.message - 1, 'x'));
}

TEST(Guard, TakesNoErrorToFill) {
  EXPECT_EQ(guard(nullptr, [] { throw Error(BENTO_NOT_FOUND, "x"); }), BENTO_NOT_FOUND);
}

TEST(Check, ThrowsWhatTheHostRefused) {
  bento_error error = make_error();
  fail(&error, BENTO_UNAVAILABLE, 503, "shutting down");
  EXPECT_NO_THROW(check(BENTO_OK, error));
  try {
    check(BENTO_UNAVAILABLE, error);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), BENTO_UNAVAILABLE);
    EXPECT_EQ(e.http_status(), 503u);
    EXPECT_STREQ(e.what(), "shutting down");
  }
}

}  // namespace
}  // namespace bento::detail
