// Which sources this program was built from.
#pragma once

namespace tern {

// `git describe --always --dirty` when CMake configured the build, or "unknown".
extern const char* const kBuildCommit;

}  // namespace tern
