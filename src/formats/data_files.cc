#include "formats/data_files.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "formats/token_file.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = size_t{1} << 18;
constexpr size_t kLongestLine = size_t{64} << 20;
constexpr size_t kDeepest = 100;

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(), [&](std::string_view suffix) { return name.ends_with(suffix); });
}

bool is_known_name(const std::string& name) {
  return name.ends_with(".tok") || ends_with_any(without_compression_suffix(name), {".txt", ".jsonl", ".ndjson"});
}

DataKind kind_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (ends_with_any(without_compression_suffix(name), {".jsonl", ".ndjson"})) return DataKind::kLines;
  std::array<char, kTokenFileMagic.size()> first{};
  InputFile file(path);
  const std::string_view magic(first.data(), file.read(first));
  return name.ends_with(".tok") || magic == kTokenFileMagic ? DataKind::kShard : DataKind::kText;
}

void add_files(const fs::path& path, std::vector<DataFile>& files) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    files.push_back({path, kind_of(path)});
    return;
  }
  for (fs::recursive_directory_iterator entry(path, code), last; !code && entry != last; entry.increment(code)) {
    const bool is_wanted = is_known_name(entry->path().filename().string()) && entry->is_regular_file(code);
    if (is_wanted) files.push_back({entry->path(), kind_of(entry->path())});
  }
  if (code) fail("{}: cannot list the folder: {}", path.string(), code.message());
}

std::vector<fs::path> glob_paths(const std::string& pattern) {
  struct Matches : glob_t {
    Matches() : glob_t{} {}
    ~Matches() { ::globfree(this); }
  } matches;
  const int code = ::glob(pattern.c_str(), 0, nullptr, &matches);
  if (code != 0 && code != GLOB_NOMATCH) fail("{}: cannot look for files", pattern);
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

// Takes the string at one key of the outermost object and passes over everything else. Returning false ends the parse.
class TextFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TextFinder(std::string_view key) : key_(key) {}

  std::optional<std::string> text;
  std::string problem;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool string(string_t& found) override {
    if (!is_wanted_) return value();
    is_wanted_ = false;
    text = std::move(found);
    return true;
  }
  bool key(string_t& name) override {
    is_wanted_ = depth_ == 1 && name == key_;
    if (is_wanted_ && text) return stop(fmt::format("the key {} is there twice", quote(key_)));
    return true;
  }
  bool start_object(size_t) override { return (depth_ == 0 || value()) && deeper(); }
  bool start_array(size_t) override { return value() && deeper(); }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return stop(fmt::format("not valid JSON at byte {}", position));
  }

 private:
  // A value that is not the text.
  bool value() {
    if (depth_ == 0) return stop("expected a JSON object, it is another value");
    if (is_wanted_) return stop(fmt::format("expected a string at the key {}", quote(key_)));
    return true;
  }
  bool deeper() { return ++depth_ <= kDeepest || stop(fmt::format("more than {} levels deep", kDeepest)); }
  bool stop(std::string why) {
    if (problem.empty()) problem = std::move(why);
    return false;
  }

  std::string_view key_;
  size_t depth_ = 0;
  bool is_wanted_ = false;
};

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

std::vector<DataFile> list_data_files(const std::string& item) {
  std::vector<DataFile> files;
  std::error_code code;
  const bool exists = fs::exists(item, code);
  if (!exists && item.find_first_of("*?[") == std::string::npos) fail("{}: no such file or folder", item);
  if (exists) {
    add_files(item, files);
  } else {
    for (const fs::path& path : glob_paths(item)) add_files(path, files);
  }
  if (files.empty()) fail("{}: expected data, no *.txt, *.jsonl, *.ndjson (also .gz, .zst) or *.tok is there", item);
  std::sort(files.begin(), files.end(), [](const DataFile& a, const DataFile& b) { return a.path < b.path; });
  return files;
}

std::string json_line_text(std::string_view line, std::string_view key) {
  TextFinder finder(key);
  if (!is_valid_utf8(line)) fail("expected UTF-8, the line has other bytes");
  nlohmann::json::sax_parse(line.begin(), line.end(), &finder);
  if (!finder.problem.empty()) fail("{}", finder.problem);
  if (!finder.text) fail("expected a string at the key {}, there is no such key", quote(key));
  return std::move(*finder.text);
}

DocumentReader::DocumentReader(const DataFile& file, std::string text_key)
    : file_(file), text_key_(std::move(text_key)), stream_(file.path), buffer_(kPieceBytes) {}

DocumentReader::DocumentReader(const DataFile& file) : DocumentReader(file, std::string()) { whole_lines_ = true; }

std::string DocumentReader::where() const { return fmt::format("{}: line {}", file_.path.string(), lines_); }

bool DocumentReader::next(TextPiece& piece) {
  return file_.kind == DataKind::kLines ? next_line(piece) : next_text(piece);
}

bool DocumentReader::next_text(TextPiece& piece) {
  if (is_done_) return false;
  const uint64_t offset = stream_.offset();
  const size_t size = stream_.read(buffer_);
  is_done_ = size < buffer_.size();
  if (is_done_ && stream_.offset() == 0) fail("{}: expected text, the file is empty", file_.path.string());
  piece = {{buffer_.data(), size}, offset, is_done_};
  return true;
}

// Puts the next line between begin_ and end_; false when there is none.
bool DocumentReader::fill_line() {
  begin_ = std::min(lines_ == 0 ? 0 : end_ + 1, filled_);
  size_t searched = begin_;
  while (true) {
    const void* found = std::memchr(buffer_.data() + searched, '\n', filled_ - searched);
    if (found != nullptr) {
      end_ = static_cast<size_t>(static_cast<const char*>(found) - buffer_.data());
      break;
    }
    if (is_done_ || filled_ - begin_ > kLongestLine) {
      if (begin_ == filled_) return false;
      end_ = filled_;
      break;
    }
    std::copy(buffer_.begin() + static_cast<ptrdiff_t>(begin_), buffer_.begin() + static_cast<ptrdiff_t>(filled_),
              buffer_.begin());
    filled_ -= begin_;
    begin_ = 0;
    searched = filled_;
    if (buffer_.size() - filled_ < kPieceBytes) buffer_.resize(2 * buffer_.size());
    const size_t size = stream_.read(std::span(buffer_).subspan(filled_));
    is_done_ = filled_ + size < buffer_.size();
    filled_ += size;
  }
  ++lines_;
  if (end_ - begin_ > kLongestLine) {
    fail("{}: line {}: expected at most {} bytes, it is longer", file_.path.string(), lines_, kLongestLine);
  }
  return true;
}

bool DocumentReader::next_line(TextPiece& piece) {
  bool found = false;
  while (!found && fill_line()) found = !is_blank({buffer_.data() + begin_, end_ - begin_});
  if (!found) {
    if (stream_.offset() == 0) fail("{}: expected JSON lines, the file is empty", file_.path.string());
    return false;
  }
  const std::string_view line(buffer_.data() + begin_, end_ - begin_);
  if (!whole_lines_) {
    with_context(where(), [&] { text_ = json_line_text(line, text_key_); });
  }
  piece = {whole_lines_ ? line : std::string_view(text_), stream_.offset() - filled_ + begin_, true};
  return true;
}

}  // namespace tern
