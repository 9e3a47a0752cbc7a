#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/task.h"
#include "tests/base/loop_test.h"

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using base::Status;

Result<int> half(int n) {
  if (n % 2 != 0) return base::fail(ErrorKind::kInvalid, "odd");
  return n / 2;
}

Result<std::string> quarter(int n) {
  TRY(const int once, half(n));
  TRY(const int twice, half(once));
  return std::to_string(twice);
}

Status is_even(int n) {
  TRY_VOID(half(n));
  return {};
}

TEST(Result, hands_values_through) {
  EXPECT_EQ(quarter(12), "3");
  EXPECT_TRUE(is_even(4));
}

TEST(Result, hands_errors_through) {
  const auto result = quarter(6);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(result.error().message, "odd");
  EXPECT_EQ(result.error().code, 0);
  EXPECT_FALSE(is_even(3));
}

Result<std::unique_ptr<int>> boxed(int n) {
  if (n < 0) return base::fail("negative");
  return std::make_unique<int>(n);
}

Result<int> unboxed(int n) {
  TRY(auto box, boxed(n));
  return *box;
}

TEST(Result, moves_what_cannot_be_copied) {
  EXPECT_EQ(unboxed(5), 5);
  EXPECT_EQ(unboxed(-1).error().kind, ErrorKind::kInternal);
}

TEST(Result, keeps_errno) {
  errno = EACCES;
  const Error error = Error::from_errno("open '/x'");
  EXPECT_EQ(error.message, "open '/x': Permission denied");
  EXPECT_EQ(error.code, EACCES);
  EXPECT_EQ(error.kind, ErrorKind::kInternal);
  const Status failed = base::fail_errno("stat", ENOENT);
  EXPECT_EQ(failed.error().code, ENOENT);
}

TEST(Result, adds_context) {
  Error error(ErrorKind::kNotFound, "no such thing");
  error.code = 7;
  const Error more = std::move(error).with_context("Failed to look");
  EXPECT_EQ(more.message, "Failed to look: no such thing");
  EXPECT_EQ(more.kind, ErrorKind::kNotFound);
  EXPECT_EQ(more.code, 7);
}

using ResultInCoroutine = tests::LoopTest;

base::Task<Result<int>> half_later(int n) { co_return half(n); }

base::Task<Result<std::string>> quarter_later(int n) {
  CO_TRY(const int once, co_await half_later(n));
  CO_TRY_VOID(is_even(once));
  CO_TRY(const int twice, co_await half_later(once));
  co_return std::to_string(twice);
}

TEST_F(ResultInCoroutine, hands_both_through) {
  EXPECT_EQ(run(quarter_later(12)), "3");
  EXPECT_EQ(run(quarter_later(3)).error().message, "odd");
  EXPECT_EQ(run(quarter_later(6)).error().message, "odd");
}

}  // namespace
