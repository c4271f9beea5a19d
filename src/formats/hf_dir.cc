#include "formats/hf_dir.h"

#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 32;  // of "metadata", whose form is free
constexpr size_t kMaxIndexedTensors = 1'000'000;

void check_shard_name(const std::string& file) {
  if (file.empty() || file.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos ||
      file.find("..") != std::string::npos) {
    fail("shard file {}: expected a file name in the index's own directory", quote(file));
  }
}

// Picks the weight_map out of the index, event by event, so that no hostile nesting is ever built in memory.
class IndexParser : public nlohmann::json_sax<json> {
 public:
  std::map<std::string, std::string> weight_map;
  bool found = false;

  bool start_object(size_t) override {
    if (in_map_) refuse();
    if (depth_ == 1 && key_ == "weight_map") {
      if (found) fail("'weight_map' appears twice");
      found = in_map_ = true;
    }
    return enter();
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 1) in_map_ = false;
    return true;
  }
  bool start_array(size_t) override { return value() && enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& text) override {
    if (in_map_ || depth_ == 1) key_ = text;
    if (!in_map_) return true;
    if (weight_map.size() == kMaxIndexedTensors) fail("more than {} tensors", kMaxIndexedTensors);
    if (!weight_map.emplace(text, "").second) fail("tensor {} appears twice", quote(text));
    return true;
  }
  bool string(string_t& text) override {
    if (!in_map_) return value();
    with_context("tensor " + quote(key_), [&] { check_shard_name(text); });
    weight_map[key_] = text;
    return true;
  }
  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    fail("not valid JSON near byte {}", position);
  }

 private:
  bool enter() {
    if (++depth_ > kMaxDepth) fail("nested deeper than {} levels", kMaxDepth);
    return true;
  }
  // A value that is not part of the weight_map: of no interest, unless it stands where the map should.
  bool value() const {
    if (in_map_ || depth_ == 0 || (depth_ == 1 && key_ == "weight_map")) refuse();
    return true;
  }
  [[noreturn]] void refuse() const {
    if (in_map_) fail("tensor {}: expected a file name", quote(key_));
    fail("expected an object that holds the object 'weight_map'");
  }

  size_t depth_ = 0;
  bool in_map_ = false;
  std::string key_;
};

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) fail("not valid JSON: it holds a zero byte");
  IndexParser parser;
  json::sax_parse(text, &parser);
  if (!parser.found) fail("expected an object that holds the object 'weight_map'");
  return std::move(parser.weight_map);
}

HfDirectory::HfDirectory(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;  // a path that cannot be looked at is no directory either
  if (!std::filesystem::is_directory(path_, ignored)) fail("{}: expected a directory", path_.string());
  if (has_file(kHfSingleFile)) {
    shards_.emplace_back(path_ / kHfSingleFile);
    tensors_ = shards_.front().tensors();
  } else if (has_file(kHfIndexFile)) {
    const std::filesystem::path index = path_ / kHfIndexFile;
    const std::string text = read_file(index);
    with_context(index.string(), [&] { open_shards(parse_shard_index(text)); });
  } else {
    fail("{}: holds neither {} nor {}", path_.string(), kHfSingleFile, kHfIndexFile);
  }
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

void HfDirectory::open_shards(const std::map<std::string, std::string>& weight_map) {
  std::map<std::string, size_t> opened;  // shard file -> place in shards_
  for (const auto& [tensor_name, file] : weight_map) {
    const auto [shard, is_new] = opened.emplace(file, shards_.size());
    if (is_new) shards_.emplace_back(path_ / file);
    const NamedTensor* tensor = shards_[shard->second].find(tensor_name);
    if (tensor == nullptr) fail("tensor {} is not in {}", quote(tensor_name), quote(file));
    tensors_.push_back(*tensor);
  }
}

bool HfDirectory::has_file(std::string_view file) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path_ / file, ignored);
}

std::string HfDirectory::read_text(std::string_view file) const { return read_file(path_ / file); }

const NamedTensor* HfDirectory::find(std::string_view tensor_name) const {
  const auto found = index_.find(tensor_name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace tern
