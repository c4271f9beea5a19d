// What text to train on is kept in: which files a path, a folder or a pattern names, and the documents in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/byte_stream.h"

namespace tern {

enum class DataKind : uint8_t {
  kText,   // a text
  kLines,  // JSON lines (*.jsonl, *.ndjson): an object a line, a document each
  kShard,  // a token shard (token_file.h)
};

struct DataFile {
  std::filesystem::path path;
  DataKind kind = DataKind::kText;

  bool operator==(const DataFile&) const = default;
};

// `item` is a file of any name; a folder, which means the *.txt, *.jsonl, *.ndjson (each also with .gz or .zst) and
// *.tok in it and in its folders; or a pattern with * ? [ ] for such files and folders. Sorted by path. Error when
// there are none.
std::vector<DataFile> list_data_files(const std::string& item);

// The string at `key` of the JSON object `line`. Error, without a place, when the line is no such thing: not UTF-8, not
// JSON, not an object, without the key or with it twice, deeper than 100 levels.
std::string json_line_text(std::string_view line, std::string_view key);

// A part of a document, valid until the next one is read.
struct TextPiece {
  std::string_view text;
  uint64_t offset = 0;         // of the text (of its line, in JSON lines) in the decompressed file
  bool ends_document = false;  // `text` may be empty then
};

// The documents of a text or JSON lines file, in order. A text comes in pieces and is one document; a line's document
// comes as a whole, and empty lines are none. Memory: a piece, or the longest line (at most 64 MiB).
class DocumentReader {
 public:
  // `text_key`: where the text is in a JSON line.
  DocumentReader(const DataFile& file, std::string text_key);
  // JSON lines as they are, unread: of each line all of it.
  explicit DocumentReader(const DataFile& file);

  // False after the last piece. Error naming file and line.
  bool next(TextPiece& piece);
  // "FILE: line N", of the piece that was read last.
  std::string where() const;

 private:
  bool next_text(TextPiece& piece);
  bool next_line(TextPiece& piece);
  bool fill_line();

  DataFile file_;
  std::string text_key_;
  bool whole_lines_ = false;
  ByteStream stream_;
  std::vector<char> buffer_;    // bytes read; of texts a piece, of lines what has not been given yet
  size_t begin_ = 0, end_ = 0;  // the line in buffer_, without its line end
  size_t filled_ = 0;           // bytes of buffer_ that are read
  size_t lines_ = 0;
  std::string text_;
  bool is_done_ = false;
};

}  // namespace tern
