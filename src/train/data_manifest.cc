#include "train/data_manifest.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

ordered_json range_json(const ShardRange& range) {
  return {{"file", range.file.string()},
          {"begin", range.begin},
          {"count", range.count},
          {"checksum", fmt::format("{:016x}", range.checksum)}};
}

ordered_json ranges_json(const std::vector<ShardRange>& ranges) {
  ordered_json list = ordered_json::array();
  for (const ShardRange& range : ranges) list.push_back(range_json(range));
  return list;
}

uint64_t parse_number(const ordered_json& value) {
  if (!value.is_number_unsigned()) fail("expected a whole number, got {}", json_text(value));
  return value.get<uint64_t>();
}

uint64_t parse_checksum(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) fail("expected a checksum, got '{}'", text);
  return value;
}

std::vector<ShardRange> parse_ranges(const ordered_json& list) {
  std::vector<ShardRange> ranges;
  for (const ordered_json& entry : list) {
    ranges.push_back({entry.at("file").get<std::string>(), parse_number(entry.at("begin")),
                      parse_number(entry.at("count")), parse_checksum(entry.at("checksum").get<std::string>())});
  }
  return ranges;
}

}  // namespace

std::string manifest_to_json(const DataManifest& manifest) {
  ordered_json train = ordered_json::array();
  for (const ManifestSource& source : manifest.train) {
    train.push_back({{"name", source.name}, {"weight", source.weight}, {"shards", ranges_json(source.shards)}});
  }
  ordered_json json = {{"train", train}, {"valid", ranges_json(manifest.valid)}};
  if (!manifest.train_marks.empty()) {
    json["train_marks"] = ranges_json(manifest.train_marks);
    json["valid_marks"] = ranges_json(manifest.valid_marks);
  }
  return json_text(json, 2) + "\n";
}

DataManifest manifest_from_json(std::string_view text, std::string_view where) {
  return with_context(std::string(where), [&] {
    DataManifest manifest;
    try {
      const ordered_json json = try_parse_ordered_json(text);
      for (const ordered_json& source : json.at("train")) {
        const auto weight = source.at("weight").get<double>();
        if (!(weight > 0)) fail("expected a weight above 0, got {}", weight);
        manifest.train.push_back({source.at("name").get<std::string>(), weight, parse_ranges(source.at("shards"))});
      }
      manifest.valid = parse_ranges(json.at("valid"));
      if (json.contains("train_marks")) {
        manifest.train_marks = parse_ranges(json.at("train_marks"));
        manifest.valid_marks = parse_ranges(json.at("valid_marks"));
      }
    } catch (const ordered_json::exception&) {
      fail("expected the list of a run's token shards, it is something else");
    }
    return manifest;
  });
}

}  // namespace tern
