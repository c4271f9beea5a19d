#include "formats/hf_dir.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support.h"

namespace tern {
namespace {

using test::expect_error;

void write_shard(const std::filesystem::path& path, const std::vector<std::string>& names) {
  std::vector<OutputTensor> tensors;
  for (const std::string& name : names) {
    tensors.push_back({name, DType::kU8, {name.size()}, [name](const ByteSink& sink) { sink(as_bytes(name)); }});
  }
  write_safetensors(path, tensors, {});
}

TEST(HfDirectory, OneFile) {
  const test::TemporaryDirectory directory;
  write_shard(directory / "model.safetensors", {"a", "b"});
  write_file(directory / "config.json", "{\"x\": 1}");
  const HfDirectory opened(directory.path());
  EXPECT_EQ(opened.config_text(), "{\"x\": 1}");
  EXPECT_TRUE(opened.has_file("config.json"));
  EXPECT_FALSE(opened.has_file("generation_config.json"));
  EXPECT_EQ(opened.tensors().size(), 2u);
  EXPECT_EQ(opened.find("b")->data[0], std::byte{'b'});
  EXPECT_EQ(opened.find("c"), nullptr);
  expect_error([&] { (void)opened.read_text("tokenizer.json"); }, "tokenizer.json: cannot open");
}

TEST(HfDirectory, Shards) {
  const test::TemporaryDirectory directory;
  write_shard(directory / "model-1.safetensors", {"a", "bb"});
  write_shard(directory / "model-2.safetensors", {"ccc", "unlisted"});
  write_file(directory / "model.safetensors.index.json",
             R"({"metadata":{"total_size":6,"deep":[{"weight_map":1}]},"weight_map":)"
             R"({"bb":"model-1.safetensors","ccc":"model-2.safetensors","a":"model-1.safetensors"}})");
  const HfDirectory opened(directory.path());
  ASSERT_EQ(opened.tensors().size(), 3u);
  EXPECT_EQ(opened.find("ccc")->data.size(), 3u);
  EXPECT_EQ(opened.find("bb")->data[1], std::byte{'b'});
  EXPECT_EQ(opened.find("unlisted"), nullptr);
  HfDirectory copy(directory.path());
  const HfDirectory moved(std::move(copy));
  EXPECT_EQ(moved.find("ccc")->data[2], std::byte{'c'});
}

TEST(HfDirectory, WhatIsMissingIsNamed) {
  const test::TemporaryDirectory directory;
  expect_error([&] { HfDirectory opened(directory / "nowhere"); }, "expected a directory");
  expect_error([&] { HfDirectory opened(directory / std::string(300, 'x')); }, "expected a directory");
  expect_error([&] { HfDirectory opened(directory.path()); }, "holds neither model.safetensors nor");
  write_shard(directory / "s.safetensors", {"a"});
  const std::filesystem::path index = directory / "model.safetensors.index.json";
  write_file(index, R"({"weight_map":{"a":"s.safetensors","b":"t.safetensors"}})");
  expect_error([&] { HfDirectory opened(directory.path()); }, "t.safetensors: cannot open for reading");
  write_file(index, R"({"weight_map":{"a":"s.safetensors","b":"s.safetensors"}})");
  expect_error([&] { HfDirectory opened(directory.path()); },
               "model.safetensors.index.json: tensor 'b' is not in 's.safetensors'");
}

TEST(ShardIndex, RefusesFilesElsewhere) {
  for (const std::string file : {"", "../x.safetensors", "/etc/passwd", "a/b", "a\\\\b", "..", "x\\u0000y"}) {
    expect_error([&] { parse_shard_index(R"({"weight_map":{"a":")" + file + "\"}}"); },
                 "expected a file name in the index's own directory");
  }
}

TEST(ShardIndex, Form) {
  EXPECT_TRUE(parse_shard_index(R"({"weight_map":{}})").empty());
  EXPECT_EQ(parse_shard_index(R"({"x":{"y":[1]},"weight_map":{"a":"f"},"z":null})").at("a"), "f");
  for (const std::string text : {"[]", "1", "null", "{}", R"({"weight_map":[]})", R"({"weight_map":"x"})"}) {
    expect_error([&] { parse_shard_index(text); }, "expected an object that holds the object 'weight_map'");
  }
  for (const std::string text : {"", "{", "{}x", "{\"weight_map\":{}", "{\"\xFF\":1}"}) {
    expect_error([&] { parse_shard_index(text); }, "not valid JSON");
  }
  expect_error([&] { parse_shard_index(R"({"weight_map":{"a":1}})"); }, "tensor 'a': expected a file name");
  expect_error([&] { parse_shard_index(R"({"weight_map":{"a":{}}})"); }, "tensor 'a': expected a file name");
  expect_error([&] { parse_shard_index(R"({"weight_map":{"a":["f"]}})"); }, "tensor 'a': expected a file name");
  expect_error([&] { parse_shard_index(R"({"weight_map":{"a":"f","a":"f"}})"); }, "tensor 'a' appears twice");
  expect_error([&] { parse_shard_index(R"({"weight_map":{},"weight_map":{}})"); }, "'weight_map' appears twice");
  expect_error([&] { parse_shard_index("{\"m\":" + std::string(1'000'000, '[')); }, "nested deeper than 32 levels");
  expect_error([&] { parse_shard_index(std::string_view("{\"weight_map\":{}}\0x", 19)); }, "zero byte");
}

TEST(ShardIndex, DamageIsRefusedOrReadable) {
  const std::string text = R"({"metadata":{"n":[1.5,true]},"weight_map":{"a":"f","b":"g"}})";
  const auto parse = [](Bytes bytes) {
    parse_shard_index({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  test::expect_prefixes_fail(text, parse);
  EXPECT_GT(test::refused_bit_flips(text, parse), 100u);
}

}  // namespace
}  // namespace tern
