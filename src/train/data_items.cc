#include "train/data_items.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace tern {
namespace {

DataItem parse_data_item(const std::string& item) {
  DataItem parsed{item, {}, {}};
  std::error_code code;
  const size_t colon = item.rfind(':');
  if (colon != std::string::npos && !std::filesystem::exists(item, code)) {
    const std::string number = item.substr(colon + 1);
    double weight = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
    if (error != std::errc() || end != number.data() + number.size() || !(weight > 0) || !std::isfinite(weight)) {
      fail("{}: no such file, and as a weight '{}' is not a number above 0", item, number);
    }
    parsed.name = item.substr(0, colon);
    parsed.weight = weight;
  }
  parsed.files = list_data_files(parsed.name);
  return parsed;
}

}  // namespace

bool DataItem::has_text() const {
  return std::any_of(files.begin(), files.end(), [](const DataFile& file) { return file.kind != DataKind::kShard; });
}

bool DataItem::has_shards() const {
  return std::any_of(files.begin(), files.end(), [](const DataFile& file) { return file.kind == DataKind::kShard; });
}

std::vector<DataItem> parse_data_items(std::span<const std::string> items) {
  std::vector<DataItem> parsed;
  for (const std::string& item : items) parsed.push_back(parse_data_item(item));
  for (const DataItem& item : parsed) {
    if (item.weight.has_value() == parsed[0].weight.has_value()) continue;
    const bool first = parsed[0].weight.has_value();
    fail("{}: expected a weight for all sources or for none, {} has one and {} has none", item.name,
         first ? parsed[0].name : item.name, first ? item.name : parsed[0].name);
  }
  return parsed;
}

}  // namespace tern
