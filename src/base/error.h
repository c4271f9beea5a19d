// The one exception of tern. Everything that can go wrong in the world (a file, an argument, a shape) is an Error whose
// message is one line: what, where, expected, actual. Our own broken promises are assert()s.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace tern {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

// Throws Error with a formatted one-line message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an Error that escapes it is thrown on with "context: " in front (the outer half of the message).
template <class Body>
decltype(auto) with_context(const std::string& context, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const Error& error) {
    throw Error(context + ": " + error.what());
  }
}

}  // namespace tern
