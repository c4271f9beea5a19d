// Models in several GGUF files, as llama.cpp's gguf-split writes them.
#include <algorithm>
#include <fstream>
#include <limits>

#include "base/file.h"
#include "gguf_files.h"
#include "model/describe.h"

namespace tern::test {
namespace {

constexpr uint32_t kShards = 3;

class GgufSplit : public testing::Test {
 protected:
  GgufSplit() {
    const Vocabulary vocabulary = byte_vocabulary();
    save_gguf(test_model(block_config(), 1, threads_), whole_, {.type = DType::kI2S, .vocabulary = &vocabulary});
    for (uint32_t number = 1; number <= kShards; ++number) write_shard(shard(number), number, {});
  }

  std::filesystem::path shard(uint32_t number) const { return gguf_shard_path(first_, number, kShards); }

  // Every third tensor of the whole file, with the keys of this shard but for `edits`.
  void write_shard(const std::filesystem::path& path, uint32_t number, Edits edits) const {
    const GgufFile file(whole_);
    const auto number_key = [&](const char* key, uint32_t value) {
      edits.metadata.emplace(key, [=](GgufWriter& w, const std::string& k) { w.add_u32(k, value); });
    };
    number_key("split.no", number - 1);
    number_key("split.count", kShards);
    number_key("split.tensors.count", static_cast<uint32_t>(file.tensors().size()));
    if (number > 1) {
      for (const GgufEntry& entry : file.metadata()) edits.metadata.emplace(std::string(entry.key), nullptr);
    }
    for (size_t i = 0; i < file.tensors().size(); ++i) {
      if (i % kShards != number - 1) edits.tensors.emplace(file.tensors()[i].name, NamedTensor{});
    }
    rewrite_gguf(whole_, path, std::move(edits));
  }

  void expect_refused(std::string_view part) {
    expect_error([&] { load_model(first_, threads_); }, part);
    expect_error([&] { GgufFile file(first_); }, part);
  }

  static std::function<void(GgufWriter&, const std::string&)> value(uint32_t number) {
    return [=](GgufWriter& w, const std::string& k) { w.add_u32(k, number); };
  }

  TemporaryDirectory folder_;
  Threads threads_{2};
  std::filesystem::path whole_ = folder_ / "whole.gguf";
  std::filesystem::path first_ = folder_ / "small-00001-of-00003.gguf";
};

TEST_F(GgufSplit, TheFirstShardOpensAll) {
  const LoadedModel whole = load_model(whole_, threads_);
  const LoadedModel split = load_model(first_, threads_);
  EXPECT_EQ(split.model.config, whole.model.config);
  EXPECT_EQ(split.vocabulary->tokens.size(), whole.vocabulary->tokens.size());
  for (const TensorSpec& spec : model_tensors(whole.model.config)) {
    if (!spec.is_linear()) continue;
    const TernaryMatrix& a = whole.model.weights.linear(spec).ternary;
    const TernaryMatrix& b = split.model.weights.linear(spec).ternary;
    EXPECT_EQ(a.scale, b.scale);
    EXPECT_TRUE(std::equal(a.panels.data(), a.panels.data() + a.panels.size(), b.panels.data())) << tern_name(spec);
  }
  EXPECT_EQ(describe_model(first_, threads_).tensor_types, describe_model(whole_, threads_).tensor_types);
  const GgufFile file(whole_);
  const GgufFile shards(first_);
  ASSERT_EQ(shards.tensors().size(), file.tensors().size());
  for (const NamedTensor& tensor : file.tensors()) {
    ASSERT_NE(shards.find(tensor.name), nullptr) << tensor.name;
    EXPECT_EQ(shards.find(tensor.name)->name, tensor.name);
    EXPECT_EQ(shards.find(tensor.name)->shape, tensor.shape);
    const Bytes data = shards.find(tensor.name)->data;
    EXPECT_TRUE(std::equal(data.begin(), data.end(), tensor.data.begin(), tensor.data.end())) << tensor.name;
  }
}

TEST_F(GgufSplit, AnotherShardSaysWhichToOpen) {
  expect_error(
      [&] { load_model(shard(2), threads_); },
      "small-00002-of-00003.gguf: shard 2 of a split file, expected the first: open the one whose name ends in "
      "'-00001-of-00003.gguf'");
}

TEST_F(GgufSplit, TheNamesOfShardsFollowThatOfTheFirst) {
  std::filesystem::rename(first_, folder_ / "first.gguf");
  expect_error([&] { load_model(folder_ / "first.gguf", threads_); },
               "first.gguf: the first of 3 shards, expected a name that ends in '-00001-of-00003.gguf'");
}

TEST_F(GgufSplit, MissingShards) {
  std::filesystem::remove(shard(3));
  expect_refused("shard 3 of 3 is missing, expected '" + shard(3).string() + "'");
  write_shard(first_, 1, {{{"split.count", value(std::numeric_limits<uint32_t>::max())}}, {}});
  expect_refused("small-00001-of-00003.gguf: the first of 4294967295 shards, expected a name that ends in");
}

TEST_F(GgufSplit, ShardsAtAnothersPlace) {
  std::filesystem::copy_file(shard(2), shard(3), std::filesystem::copy_options::overwrite_existing);
  expect_refused("small-00003-of-00003.gguf: expected shard 3 of 3, it is shard 2 of 3");
  write_shard(shard(3), 3, {{{"split.count", value(4)}}, {}});
  expect_refused("small-00003-of-00003.gguf: expected shard 3 of 3, it is shard 3 of 4");
  std::filesystem::copy_file(whole_, shard(3), std::filesystem::copy_options::overwrite_existing);
  expect_refused("metadata 'split.count' is missing");
}

TEST_F(GgufSplit, TensorsThatAreTwiceOrMissing) {
  const NamedTensor twice = *GgufFile(whole_).find("output_norm.weight");
  const std::vector<std::byte> bytes(4 * 256);
  for (uint32_t number = 2; number <= kShards; ++number) {
    write_shard(shard(number), number, {{}, {{twice.name, {twice.name, DType::kF32, {256}, bytes}}}});
  }
  expect_refused("tensor 'output_norm.weight' appears in an earlier shard, too");
  write_shard(shard(2), 2, {});
  write_shard(shard(3), 3,
              {{}, {{"blk.0.attn_q.weight", {}}, {"blk.0.attn_k.weight", {}}, {"blk.0.attn_v.weight", {}}}});
  expect_refused("split.tensors.count is 13, the 3 shards hold 12");
  write_shard(first_, 1, {{{"split.tensors.count", nullptr}}, {}});
  expect_refused("split.tensors.count");
}

TEST_F(GgufSplit, DamagedShardsAreNamed) {
  const std::string content = read_file(shard(2));
  for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, content.size() / 2, content.size() - 1024}) {
    std::ofstream(shard(2), std::ios::binary) << content.substr(0, size);
    expect_refused("small-00002-of-00003.gguf: ");
  }
}

}  // namespace
}  // namespace tern::test
