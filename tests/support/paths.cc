#include "support/paths.h"

#include <cstdlib>

namespace tern {

std::filesystem::path source_path(const std::filesystem::path& relative) {
  return std::filesystem::path(TERN_SOURCE_DIR) / relative;
}

std::filesystem::path data_path(const std::filesystem::path& relative) {
  const char* given = std::getenv("TERN_DATA");
  return given != nullptr ? std::filesystem::path(given) / relative : source_path("../shared/data") / relative;
}

}  // namespace tern
