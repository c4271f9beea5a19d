// What `data` and `valid` of the options name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/data_files.h"

namespace tern {

// One source: the files of a path, a folder or a pattern.
struct DataItem {
  std::string name;  // as given, without the weight
  std::optional<double> weight;
  std::vector<DataFile> files;  // sorted by path

  bool has_text() const;    // a file that is no token shard
  bool has_shards() const;  // a file that is one
};

// "PATH" or "PATH:WEIGHT", where a path that is there with such an end is a path. Error when a source has no files,
// when a weight is not above 0, and when some have weights and others have none.
std::vector<DataItem> parse_data_items(std::span<const std::string> items);

}  // namespace tern
