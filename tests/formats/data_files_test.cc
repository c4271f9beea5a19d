#include "formats/data_files.h"

#include <gtest/gtest.h>

#include "../support/compressed.h"
#include "formats/token_file.h"
#include "support.h"

namespace tern {
namespace {

using test::expect_error;

std::vector<std::string> names_of(const std::string& item) {
  std::vector<std::string> names;
  for (const DataFile& file : list_data_files(item)) names.push_back(file.path.filename().string());
  return names;
}

using Names = std::vector<std::string>;

TEST(DataFiles, PathsFoldersAndPatterns) {
  const test::TemporaryDirectory directory;
  std::filesystem::create_directories(directory / "d/sub");
  for (const char* name :
       {"d/b.txt", "d/a.jsonl", "d/c.txt.gz", "d/readme.md", "d/e.py", "d/sub/z.ndjson.zst", "d/s.tok"}) {
    write_file(directory / name, "TERNTOK1");
  }
  EXPECT_EQ(names_of(directory / "d/readme.md"), (Names{"readme.md"}));  // a file may have any name
  EXPECT_EQ(names_of(directory / "d"), (Names{"a.jsonl", "b.txt", "c.txt.gz", "s.tok", "z.ndjson.zst"}));
  EXPECT_EQ(names_of(directory / "d/*.txt*"), (Names{"b.txt", "c.txt.gz"}));
  EXPECT_EQ(names_of(directory / "d/[ab].*"), (Names{"a.jsonl", "b.txt"}));
  EXPECT_EQ(names_of(directory / "d*"), names_of(directory / "d"));
  expect_error([&] { list_data_files(directory / "nothing"); }, "nothing: no such file or folder");
  expect_error([&] { list_data_files(directory / "*.nothing"); }, "*.nothing: expected data");
  std::filesystem::create_directories(directory / "empty");
  expect_error([&] { list_data_files(directory / "empty"); }, "empty: expected data");
}

TEST(DataFiles, KindsByNameAndContent) {
  const test::TemporaryDirectory directory;
  TokenFileWriter writer(directory / "shard", {1, 10});
  writer.finish();
  for (const char* name : {"a.txt", "b.jsonl", "c.ndjson", "d.jsonl.gz", "e.tok"}) write_file(directory / name, "text");
  const auto kind = [&](const char* name) { return list_data_files(directory / name).at(0).kind; };
  EXPECT_EQ(kind("shard"), DataKind::kShard);
  EXPECT_EQ(kind("a.txt"), DataKind::kText);
  EXPECT_EQ(kind("b.jsonl"), DataKind::kLines);
  EXPECT_EQ(kind("c.ndjson"), DataKind::kLines);
  EXPECT_EQ(kind("d.jsonl.gz"), DataKind::kLines);
  EXPECT_EQ(kind("e.tok"), DataKind::kShard);  // and opening it says what is wrong
}

TEST(JsonLine, TheTextIsFound) {
  EXPECT_EQ(json_line_text(R"({"text": "a\nb\u00e9"})", "text"), "a\nb\xC3\xA9");
  EXPECT_EQ(json_line_text(R"( {"id": 3, "meta": {"text": "inner"}, "tags": ["text", 1.5, null, true], "text": ""} )",
                           "text"),
            "");
  EXPECT_EQ(json_line_text(R"({"content": "x", "text": 3})", "content"), "x");
  EXPECT_EQ(json_line_text("{\"text\": \"\xE7\x8B\x90\"}", "text"), "\xE7\x8B\x90");
}

TEST(JsonLine, AnythingElseIsAnError) {
  const std::string deep = "{\"a\": " + std::string(99, '[') + std::string(99, ']') + ", \"text\": \"x\"}";
  EXPECT_EQ(json_line_text(deep, "text"), "x");
  const std::string deeper = "{\"a\": " + std::string(1'000'000, '[');
  const std::string objects = [] {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "{\"a\":";
    return text;
  }();
  const std::pair<std::string, const char*> cases[] = {
      {"{\"text\": \"a\xFF\"}", "expected UTF-8"},
      {"{\"text\": \"a\"", "not valid JSON at byte 13"},
      {"{\"text\": \"a\"} x", "not valid JSON at byte 15"},
      {"{\"text\": \"\\ud800\"}", "not valid JSON"},
      {"{\"text\": \"a\nb\"}", "not valid JSON"},
      {"plain text", "not valid JSON at byte 1"},
      {"[\"text\"]", "expected a JSON object, it is another value"},
      {"\"text\"", "expected a JSON object, it is another value"},
      {"null", "expected a JSON object, it is another value"},
      {"{}", "expected a string at the key 'text', there is no such key"},
      {"{\"other\": \"x\"}", "there is no such key"},
      {"{\"a\": {\"text\": \"x\"}}", "there is no such key"},
      {"{\"text\": 3}", "expected a string at the key 'text'"},
      {"{\"text\": null}", "expected a string at the key 'text'"},
      {"{\"text\": [\"x\"]}", "expected a string at the key 'text'"},
      {"{\"text\": {\"text\": \"x\"}}", "expected a string at the key 'text'"},
      {"{\"text\": \"a\", \"text\": \"b\"}", "the key 'text' is there twice"},
      {deeper, "more than 100 levels deep"},
      {objects, "more than 100 levels deep"},
  };
  for (const auto& [line, part] : cases) {
    SCOPED_TRACE(line.substr(0, 40));
    expect_error([&text = line] { json_line_text(text, "text"); }, part);
  }
  const std::string good = R"({"id": [1, {"a": null}], "text": "tëxt \u00e9"})";
  for (size_t size = 0; size < good.size(); ++size) {
    test::error_of([&] { json_line_text(std::string_view(good).substr(0, size), "text"); });
  }
}

struct Document {
  std::string text;
  uint64_t offset = 0;
};

std::vector<Document> documents_of(const std::filesystem::path& path, DataKind kind) {
  DocumentReader reader({path, kind}, "text");
  std::vector<Document> documents;
  bool is_new = true;
  for (TextPiece piece; reader.next(piece); is_new = piece.ends_document) {
    if (is_new) documents.push_back({"", piece.offset});
    documents.back().text += piece.text;
  }
  EXPECT_TRUE(is_new);  // the last piece ended a document
  return documents;
}

TEST(DocumentReader, ATextIsOneDocument) {
  const test::TemporaryDirectory directory;
  for (const size_t size : {size_t{1}, size_t{1} << 18, (size_t{1} << 18) + 1, size_t{1'000'000}}) {
    std::string text;
    while (text.size() < size) text += static_cast<char>('a' + text.size() % 23);
    write_file(directory / "a.txt", text);
    const std::vector<Document> documents = documents_of(directory / "a.txt", DataKind::kText);
    ASSERT_EQ(documents.size(), 1u);
    EXPECT_TRUE(documents[0].text == text);
  }
  write_file(directory / "a.txt", "");
  expect_error([&] { documents_of(directory / "a.txt", DataKind::kText); }, "a.txt: expected text, the file is empty");
}

TEST(DocumentReader, ALineIsADocument) {
  const test::TemporaryDirectory directory;
  std::string text;
  std::vector<Document> expected;
  for (size_t i = 0; i < 3000; ++i) {
    // Lines longer than the buffer among short ones, blank ones, and both line ends.
    const std::string document(i % 700 == 5 ? 900'000 : i % 50, static_cast<char>('a' + i % 26));
    expected.push_back({document, text.size()});
    text += "{\"text\": \"" + document + "\"}" + (i % 3 == 0 ? "\r\n" : "\n");
    if (i % 7 == 0) text += " \r\n\n";
  }
  for (const bool ends_with_newline : {true, false}) {
    if (!ends_with_newline) text.resize(text.find_last_of('}') + 1);
    write_file(directory / "a.jsonl", text);
    write_file(directory / "a.jsonl.gz", test::gzip_of(text));
    write_file(directory / "a.jsonl.zst", test::zstd_of(text));
    for (const char* name : {"a.jsonl", "a.jsonl.gz", "a.jsonl.zst"}) {
      const std::vector<Document> documents = documents_of(directory / name, DataKind::kLines);
      ASSERT_EQ(documents.size(), expected.size()) << name;
      for (size_t i = 0; i < documents.size(); ++i) {
        ASSERT_TRUE(documents[i].text == expected[i].text) << i;
        ASSERT_EQ(documents[i].offset, expected[i].offset) << i;
      }
    }
  }
}

TEST(DocumentReader, ErrorsNameTheLine) {
  const test::TemporaryDirectory directory;
  const auto lines = [&](const std::string& text) {
    write_file(directory / "a.jsonl", text);
    documents_of(directory / "a.jsonl", DataKind::kLines);
  };
  expect_error([&] { lines("{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n{\"tekst\": \"c\"}\n"); },
               "a.jsonl: line 4: expected a string at the key 'text', there is no such key");
  expect_error([&] { lines("{\"text\": \"a\"}\n\xFF\n"); }, "a.jsonl: line 2: expected UTF-8");
  expect_error([&] { lines("{\"text\": \"a\"}\n" + std::string(500'000, '[')); },
               "a.jsonl: line 2: expected a JSON object");
  expect_error([&] { lines(""); }, "a.jsonl: expected JSON lines, the file is empty");
  expect_error([&] { lines("{\"text\": \"a\"}\n" + std::string((size_t{65} << 20), ' ')); },
               "a.jsonl: line 2: expected at most 67108864 bytes, it is longer");
}

}  // namespace
}  // namespace tern
