#include "eval/task_rows.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/byte_stream.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

constexpr size_t kLargestFile = size_t{1} << 30;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

ordered_json parse_object(std::string_view text) {
  ordered_json row = try_parse_ordered_json(text);
  if (row.is_discarded()) fail("expected a JSON object, it is not valid JSON");
  if (!row.is_object()) fail("expected a JSON object, it is {}", row.type_name());
  return row;
}

TaskRows rows_of_json_lines(std::string_view text) {
  TaskRows rows;
  const std::vector<std::string_view> lines = text_lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (is_blank(lines[i])) continue;
    rows.rows.push_back(with_context(fmt::format("line {}", i + 1), [&] { return parse_object(lines[i]); }));
    rows.lines.push_back(i + 1);
  }
  return rows;
}

TaskRows rows_of_json_array(std::string_view text) {
  ordered_json array = try_parse_ordered_json(text);
  if (array.is_discarded()) fail("expected a JSON array, it is not valid JSON");
  if (!array.is_array()) fail("expected a JSON array, it is {}", array.type_name());
  TaskRows rows;
  rows.unit = "item";
  for (ordered_json& item : array) {
    rows.lines.push_back(rows.lines.size() + 1);
    if (!item.is_object()) fail("item {}: expected an object, it is {}", rows.lines.back(), item.type_name());
    rows.rows.push_back(std::move(item));
  }
  return rows;
}

// The fields of one row after the other.
class Table {
 public:
  Table(std::string_view text, char separator, bool has_quotes)
      : text_(text), separator_(separator), has_quotes_(has_quotes) {}

  bool at_end() const { return at_ == text_.size(); }
  size_t line() const { return line_; }  // where the next row begins

  std::vector<std::string> next() {
    std::vector<std::string> fields;
    const size_t first_line = line_;
    while (true) {
      fields.push_back(has_quotes_ && !at_end() && text_[at_] == '"' ? quoted_field(first_line) : plain_field());
      if (at_end()) return fields;
      const char end = text_[at_++];
      if (end == separator_) continue;
      ++line_;
      return fields;
    }
  }

 private:
  std::string plain_field() {
    const char ends[] = {separator_, '\n'};
    const size_t end = std::min(text_.find_first_of(std::string_view(ends, 2), at_), text_.size());
    std::string_view field = text_.substr(at_, end - at_);
    at_ = end;
    if (field.ends_with('\r')) field.remove_suffix(1);
    return std::string(field);
  }

  std::string quoted_field(size_t first_line) {
    std::string field;
    for (++at_; true; ++at_) {
      if (at_end()) fail("line {}: expected '\"' at the end of a field, the file ends before it", first_line);
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        field += text_[at_];
        continue;
      }
      if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') break;
      field += text_[++at_];
    }
    ++at_;
    if (!at_end() && text_[at_] == '\r') ++at_;
    if (!at_end() && text_[at_] != separator_ && text_[at_] != '\n') {
      fail("line {}: expected '{}' or a line's end after a field in quotes", first_line, separator_);
    }
    return field;
  }

  std::string_view text_;
  char separator_;
  bool has_quotes_;
  size_t at_ = 0;
  size_t line_ = 1;
};

TaskRows rows_of_table(std::string_view text, char separator, bool has_quotes) {
  TaskRows rows;
  Table table(text, separator, has_quotes);
  const std::vector<std::string> names = table.next();
  while (!table.at_end()) {
    const size_t line = table.line();
    std::vector<std::string> fields = table.next();
    if (fields.size() == 1 && is_blank(fields[0])) continue;
    if (fields.size() != names.size()) {
      fail("line {}: expected {} fields as in the first line, found {}", line, names.size(), fields.size());
    }
    ordered_json row = ordered_json::object();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (!is_valid_utf8(fields[i])) fail("line {}: expected UTF-8, the row has other bytes", line);
      row[names[i]] = std::move(fields[i]);
    }
    rows.rows.push_back(std::move(row));
    rows.lines.push_back(line);
  }
  return rows;
}

}  // namespace

TaskRows parse_rows(std::string_view name, std::string_view text) {
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return rows_of_json_lines(text);
  if (name.ends_with(".json")) return rows_of_json_array(text);
  if (name.ends_with(".csv")) return rows_of_table(text, ',', true);
  if (name.ends_with(".tsv")) return rows_of_table(text, '\t', false);
  fail("expected a name that ends in .jsonl, .ndjson, .json, .csv or .tsv (also .gz, .zst)");
}

std::vector<std::string_view> text_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string read_text(const std::filesystem::path& path) {
  ByteStream stream(path);
  std::string text;
  std::vector<char> piece(size_t{1} << 20);
  for (size_t size = piece.size(); size == piece.size();) {
    size = stream.read(piece);
    text.append(piece.data(), size);
    if (text.size() > kLargestFile) fail("{}: expected at most {} bytes, it is larger", path.string(), kLargestFile);
  }
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
  return text;
}

TaskRows read_rows(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  const std::string name = path.filename().string();
  TaskRows rows = with_context(path.string(), [&] { return parse_rows(without_compression_suffix(name), text); });
  if (rows.rows.empty()) fail("{}: expected rows, there are none", path.string());
  return rows;
}

}  // namespace tern
