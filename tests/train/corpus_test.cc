// From data to samples: sources, mixtures, caches, and what is wrong with them.
#include "train/corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "support/compressed.h"
#include "support/errors.h"
#include "support/temporary_directory.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern::test {
namespace {

std::string lines_of(size_t count, char letter) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fmt::format("{}{}\n", std::string(3 + i % 5, letter), i);
  return text;
}

std::string json_lines(const std::vector<std::string>& texts, const std::string& key = "text") {
  std::string lines;
  for (const std::string& text : texts) lines += fmt::format("{{\"{}\": \"{}\"}}\n", key, text);
  return lines;
}

class CorpusTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kWarning);
    options_.tokenizer = "byte";
    options_.context = 8;
    std::filesystem::create_directories(directory_ / "run");
  }

  std::string path(std::string_view name) const { return (directory_ / name).string(); }
  std::string add(std::string_view name, std::string_view content) {
    write_file(directory_ / name, content);
    return path(name);
  }
  DataManifest prepare() { return prepare_data(options_, tokenizer_, directory_ / "run"); }
  Corpus corpus() { return Corpus(prepare(), tokenizer_, directory_ / "run"); }
  std::string text_of(const TokenSequence& tokens) const {
    return tokenizer_.decode(tokens.read(0, static_cast<size_t>(tokens.size())));
  }
  std::string train_text(size_t source = 0) { return text_of(corpus().train().sources().at(source).tokens); }
  std::string valid_text() { return text_of(corpus().valid()); }

  TemporaryDirectory directory_;
  TrainOptions options_;
  Tokenizer tokenizer_{byte_vocabulary()};
};

const std::string kEnd(kEndOfText);

TEST_F(CorpusTest, EveryFileEndsWithItsValidationPart) {
  const std::string a = lines_of(100, 'a'), b = lines_of(50, 'b');
  options_.data = {add("a.txt", a), add("b.txt", b)};
  const size_t cut_a = a.find('\n', static_cast<size_t>(static_cast<double>(a.size()) * 0.9)) + 1;
  const size_t cut_b = b.find('\n', static_cast<size_t>(static_cast<double>(b.size()) * 0.9)) + 1;
  EXPECT_EQ(train_text(), a.substr(0, cut_a) + kEnd + b.substr(0, cut_b) + kEnd);
  EXPECT_EQ(valid_text(), a.substr(cut_a) + kEnd + b.substr(cut_b) + kEnd);
  EXPECT_EQ(validation_cut(path("a.txt"), 0.1), cut_a);
  EXPECT_EQ(validation_cut(path("a.txt"), 0), a.size());
  options_.valid = {add("v.txt", "validate on this")};
  EXPECT_EQ(train_text(), a + kEnd + b + kEnd);
  EXPECT_EQ(valid_text(), "validate on this" + kEnd);
}

// A text larger than any buffer, whose cut is far from every piece's end; without a line end it is where it falls.
TEST_F(CorpusTest, LongTextsAreCutAtTheSamePlace) {
  std::string text = lines_of(120'000, 'x');
  for (const bool has_lines : {true, false}) {
    if (!has_lines) std::replace(text.begin(), text.end(), '\n', ' ');
    options_.data = {add("a.txt", text)};
    const auto at = static_cast<size_t>(static_cast<double>(text.size()) * 0.9);
    const size_t cut = has_lines ? text.find('\n', at) + 1 : at;
    EXPECT_TRUE(train_text() == text.substr(0, cut) + kEnd);
    EXPECT_TRUE(valid_text() == text.substr(cut) + kEnd);
  }
}

TEST_F(CorpusTest, CompressionChangesNothing) {
  const std::string text = lines_of(20'000, 'z');
  std::vector<std::string> documents;
  for (size_t i = 0; i < 3000; ++i) documents.push_back(fmt::format("document {}", i));
  const std::string json = json_lines(documents);
  add("a.txt", text), add("a.txt.gz", gzip_of(text)), add("a.txt.zst", zstd_of(text));
  add("b.jsonl", json), add("b.jsonl.gz", gzip_of(json)), add("b.jsonl.zst", zstd_of(json));
  for (const char* name : {"a.txt", "b.jsonl"}) {
    options_.data = {path(name)};
    const std::string train = train_text(), valid = valid_text();
    EXPECT_GT(valid.size(), 3000u);
    for (const char* suffix : {".gz", ".zst"}) {
      options_.data = {path(name) + suffix};
      EXPECT_TRUE(train_text() == train) << name << suffix;
      EXPECT_TRUE(valid_text() == valid) << name << suffix;
    }
  }
}

TEST_F(CorpusTest, LinesAreDocumentsAndTheLastOnesValidate) {
  std::vector<std::string> documents;
  for (size_t i = 0; i < 20; ++i) documents.push_back(fmt::format("doc{:02}", i));
  options_.data = {add("a.jsonl", json_lines(documents, "content"))};
  options_.text_key = "content";
  std::string train, valid;
  for (size_t i = 0; i < 20; ++i) (i < 19 ? train : valid) += documents[i] + kEnd;  // the 19th has byte 90%
  EXPECT_EQ(train_text(), train);
  EXPECT_EQ(valid_text(), valid);
  options_.text_key = "text";
  expect_error([&] { prepare(); }, "a.jsonl: line 1: expected a string at the key 'text', there is no such key");
}

TEST_F(CorpusTest, FoldersAndPatternsAreSortedFiles) {
  std::filesystem::create_directories(directory_ / "d");
  add("d/b.txt", "bbbbbbbb"), add("d/a.jsonl", json_lines({"aaaaaaaa"})), add("d/c.txt.gz", gzip_of("cccccccc"));
  add("d/ignored.md", "nothing");
  options_.valid = {add("v.txt", "valid")};
  options_.data = {path("d")};
  EXPECT_EQ(train_text(), "aaaaaaaa" + kEnd + "bbbbbbbb" + kEnd + "cccccccc" + kEnd);
  options_.data = {path("d/[bc]*")};
  EXPECT_EQ(train_text(), "bbbbbbbb" + kEnd + "cccccccc" + kEnd);
}

TEST_F(CorpusTest, ShardsAreUsedWhereTheyAre) {
  std::vector<int32_t> ids(100);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  TokenFileWriter writer(directory_ / "given.tok", {tokenizer_.hash(), 257});
  writer.add(ids);
  writer.finish();
  options_.data = {add("a.txt", lines_of(20, 'a')), path("given.tok")};
  const DataManifest manifest = prepare();
  ASSERT_EQ(manifest.train.size(), 1u);
  EXPECT_EQ(manifest.train[0].shards[1].file, directory_ / "given.tok");
  EXPECT_EQ(manifest.train[0].shards[1].count, 90u);
  const Corpus opened(manifest, tokenizer_, directory_ / "run");
  const TokenSequence& train = opened.train().sources()[0].tokens;
  const TokenSequence& valid = opened.valid();
  EXPECT_EQ(train.read(train.size() - 90, 90), std::vector<int32_t>(ids.begin(), ids.begin() + 90));
  EXPECT_EQ(valid.read(valid.size() - 10, 10), std::vector<int32_t>(ids.begin() + 90, ids.end()));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "run/train-2.tok"));
}

TEST_F(CorpusTest, WeightsMakeAMixture) {
  options_.data = {add("a.txt", lines_of(300, 'a')) + ":3", add("b.txt", lines_of(30, 'b')) + ":1e0"};
  const Corpus opened = corpus();
  ASSERT_EQ(opened.train().sources().size(), 2u);
  EXPECT_EQ(opened.train().sources()[0].weight, 3);
  EXPECT_EQ(opened.train().sources()[1].name, path("b.txt"));
  const DataLoader loader{opened.train(), 8, 5};
  std::map<char, size_t> counts;
  for (int64_t step = 0; step < 500; ++step) {
    for (size_t i = 0; i < 8; ++i) {
      const std::string text = tokenizer_.decode(loader.sample(step, i).tokens(), true);
      ++counts[text.find('b') == std::string::npos ? 'a' : 'b'];
      const char name = loader.source(step, i).name.ends_with("a.txt") ? 'a' : 'b';
      if (text.find_first_of("ab") != std::string::npos) {
        EXPECT_NE(text.find(name), std::string::npos);
      }
    }
  }
  // Binomial with 4,000 draws of 1/4: five deviations are 137.
  EXPECT_NEAR(static_cast<double>(counts['b']), 1000, 137);
}

TEST_F(CorpusTest, APathMayEndLikeAWeight) {
  options_.data = {add("a:0.5", lines_of(30, 'a'))};
  EXPECT_EQ(train_text().substr(0, 3), "aaa");
  EXPECT_EQ(corpus().train().sources()[0].weight, 1);
}

TEST_F(CorpusTest, TheCacheIsFilledOnce) {
  options_.data = {add("a.txt", lines_of(100, 'a')), add("b.txt", lines_of(100, 'b'))};
  const std::string train = train_text(), valid = valid_text();
  options_.cache = path("cache");
  std::filesystem::remove_all(directory_ / "run");
  std::filesystem::create_directories(directory_ / "run");
  const auto files = [&] {
    std::map<std::string, std::filesystem::file_time_type> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "cache")) {
      found[entry.path().filename().string()] = entry.last_write_time();
    }
    return found;
  };
  const DataManifest first = prepare();
  EXPECT_EQ(train_text(), train);
  EXPECT_EQ(valid_text(), valid);
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "run"));
  const auto before = files();
  EXPECT_EQ(before.size(), 4u);
  EXPECT_EQ(prepare(), first);
  EXPECT_EQ(files(), before);
  // One file of another time, another fraction, another key, another vocabulary: others.
  std::filesystem::last_write_time(directory_ / "a.txt",
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  prepare();
  EXPECT_EQ(files().size(), 6u);
  options_.valid_fraction = 0.2;
  prepare();
  EXPECT_EQ(files().size(), 10u);
  options_.text_key = "other";
  prepare();
  EXPECT_EQ(files().size(), 14u);
  CharVocabularyBuilder builder;
  builder.add_text("äöü");
  prepare_data(options_, Tokenizer(builder.build()), directory_ / "run");
  EXPECT_EQ(files().size(), 18u);
  // The end-of-text token is no part of the vocabulary's hash, and yet in the shards.
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.eos_ids = {0};
  prepare_data(options_, Tokenizer(vocabulary), directory_ / "run");
  EXPECT_EQ(files().size(), 22u);
}

TEST_F(CorpusTest, CharactersComeFromAllKindsOfText) {
  const std::string long_text = std::string((size_t{1} << 18) - 1, 'x') + "é";  // across two pieces
  options_.data = {add("a.txt", long_text), add("b.jsonl.gz", gzip_of(json_lines({"\xE7\x8B\x90"})))};
  options_.tokenizer = "char";
  const Tokenizer characters(make_run_vocabulary(options_));
  EXPECT_TRUE(characters.token_id("é").has_value());
  EXPECT_TRUE(characters.token_id("\xE7\x8B\x90").has_value());
  TokenFileWriter writer(directory_ / "t.tok", {1, 10});
  writer.finish();
  options_.data = {path("t.tok")};
  expect_error([&] { make_run_vocabulary(options_); }, "t.tok: expected text to make a tokenizer of characters from");
}

TEST_F(CorpusTest, BadSourcesAreNamed) {
  const std::string a = add("a.txt", lines_of(100, 'a')), b = add("b.txt", lines_of(100, 'b'));
  const auto with = [&](std::vector<std::string> data, std::vector<std::string> valid, std::string_view part) {
    options_.data = std::move(data);
    options_.valid = std::move(valid);
    SCOPED_TRACE(std::string(part));
    expect_error([&] { prepare(); }, part);
  };
  with({}, {}, "expected data to train on");
  with({path("missing.txt")}, {}, "missing.txt: no such file");
  with({a + ":0"}, {}, "a.txt:0: no such file, and as a weight '0' is not a number above 0");
  with({a + ":-1"}, {}, "is not a number above 0");
  with({a + ":inf"}, {}, "is not a number above 0");
  with({a + ":nan"}, {}, "is not a number above 0");
  with({a + ":"}, {}, "as a weight '' is not");
  with({a + ":0.5x"}, {}, "as a weight '0.5x' is not");
  with({a + ":0.5", b}, {}, "b.txt: expected a weight for all sources or for none");
  with({a}, {b + ":0.5"}, "b.txt: expected validation data without a weight");
  with({a + ":1", add("short.txt", "xyz") + ":1"}, {b},
       "short.txt: the training data has 4 tokens, a context of 8 needs at least 9");
  options_.valid_fraction = 0;
  with({a}, {}, "the validation data has 0 tokens, expected at least 2");
  options_.valid_fraction = 0.1;
  with({add("cut.jsonl.gz", gzip_of(json_lines({"abc", "def"})).substr(0, 30))}, {a},
       "cut.jsonl.gz: the compressed data ends too early");
  with({add("bad.jsonl", "{\"text\": \"a\"}\n{\n")}, {a}, "bad.jsonl: line 2: not valid JSON");
  with({add("bad.tok", "text")}, {a}, "bad.tok: magic: expected 8 bytes");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "run/data.json"));
}

TEST_F(CorpusTest, BadShardsAreNamed) {
  TokenFileWriter writer(directory_ / "other.tok", {7, 257});
  writer.add(std::vector<int32_t>(100));
  writer.finish();
  options_.data = {path("other.tok")};
  expect_error([&] { prepare(); }, fmt::format("other.tok: made with another vocabulary: expected hash {:016x}, got "
                                               "0000000000000007",
                                               tokenizer_.hash()));
  options_.data = {add("a.txt", lines_of(40'000, 'a'))};
  const DataManifest manifest = prepare();
  const std::string shard = read_file(directory_ / "run/train-1.tok");
  std::string damaged = shard;
  damaged[200'000] ^= 1;
  add("run/train-1.tok", damaged);
  const Corpus opened(manifest, tokenizer_, directory_ / "run");  // damage is found where it is read
  const DataLoader loader{opened.train(), 8, 1};
  expect_error(
      [&] {
        for (int64_t step = 0; step < 1000; ++step) loader.sample(step, 0);
      },
      "train-1.tok: block 3 of ");
  options_.data = {add("a.txt", lines_of(39'999, 'a'))};
  prepare();
  expect_error([&] { Corpus(manifest, tokenizer_, directory_ / "run"); },
               "train-1.tok: expected the shard the run began with");
  std::filesystem::remove(directory_ / "run/valid-1.tok");
  expect_error(
      [&] { Corpus(prepare_data(options_, tokenizer_, directory_ / "run"), tokenizer_, directory_ / "elsewhere"); },
      "train-1.tok: cannot open");
}

}  // namespace
}  // namespace tern::test
