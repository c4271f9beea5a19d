// Under the sanitizers everything takes ten times as long: tests whose time lies in numbers of the same kind take
// fewer.
#pragma once

namespace tern {

#ifdef TERN_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace tern
