#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace tern {
namespace {

TEST(Error, FailFormatsItsMessage) {
  try {
    fail("{}: expected {} bytes, got {}", "model.gguf", 4, 3);
    FAIL() << "fail() returned";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.gguf: expected 4 bytes, got 3");
  }
}

TEST(Error, ContextIsAddedFromTheInsideOut) {
  try {
    with_context("model.gguf", [] { with_context("tensor 'x'", [] { fail("unknown type {}", 99); }); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.gguf: tensor 'x': unknown type 99");
  }
}

TEST(Error, ContextPassesResultsThrough) {
  int number = 7;
  EXPECT_EQ(with_context("outer", [] { return std::string("fine"); }), "fine");
  int& same = with_context("outer", [&]() -> int& { return number; });
  EXPECT_EQ(&same, &number);
}

TEST(Error, ContextLeavesOtherExceptionsAlone) {
  EXPECT_THROW(with_context("outer", [] { throw std::logic_error("ours"); }), std::logic_error);
}

}  // namespace
}  // namespace tern
