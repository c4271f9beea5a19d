// What a failing call says.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace tern::test {

// The message of the tern::Error that `body` throws; a test failure when it throws none, or when it is not one line.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_FALSE(message.empty());
    return message;
  }
  ADD_FAILURE() << "expected a tern::Error";
  return "";
}

// Expects that `body` throws a tern::Error whose message holds `part`.
template <class Body>
void expect_error(Body&& body, std::string_view part) {
  const std::string message = error_of(std::forward<Body>(body));
  EXPECT_NE(message.find(part), std::string::npos) << "got: " << message << "\nexpected in it: " << part;
}

}  // namespace tern::test
