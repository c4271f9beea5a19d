// Where tests find files of the source tree and of the real data set.
#pragma once

#include <filesystem>

namespace tern {

// A path of the source tree.
std::filesystem::path source_path(const std::filesystem::path& relative);

// A file of the real data set, which a fresh machine does not have: under TERN_DATA, or ../shared/data from the source
// tree.
std::filesystem::path data_path(const std::filesystem::path& relative);

}  // namespace tern
