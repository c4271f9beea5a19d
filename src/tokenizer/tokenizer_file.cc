#include "tokenizer/tokenizer_file.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/llama2c_file.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/tiktoken_file.h"

namespace tern {
namespace {

constexpr const char* kJsonFile = "tokenizer.json";
constexpr const char* kModelFile = "tokenizer.model";

bool is_base64(char byte) { return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '+' || byte == '/'; }

enum class Kind : uint8_t { kJson, kSentencePiece, kTiktoken, kLlama2c, kUnknown };

Kind kind_of(std::string_view content) {
  const size_t first = content.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && content[first] == '{') return Kind::kJson;
  const size_t base64_end = static_cast<size_t>(
      std::find_if_not(content.begin(), content.end(), [](char byte) { return is_base64(byte) || byte == '='; }) -
      content.begin());
  if (base64_end > 0 && base64_end < content.size() && content[base64_end] == ' ') return Kind::kTiktoken;
  // The longest token's length as 4 bytes, then a score of 0 for <unk>.
  constexpr size_t kHeader = 8;
  if (content.size() > kHeader && content.substr(2, 2) == std::string_view("\0\0", 2)) return Kind::kLlama2c;
  if (looks_like_sentencepiece(as_bytes(content))) return Kind::kSentencePiece;
  return Kind::kUnknown;
}

Vocabulary read_file_of_kind(const std::filesystem::path& path) {
  const MappedFile file(path);
  const std::string_view content(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  switch (kind_of(content)) {
    case Kind::kJson:
      return read_hf_tokenizer(path);
    case Kind::kSentencePiece:
      return read_sentencepiece(path);
    case Kind::kTiktoken:
      return read_tiktoken(path, llama3_special_tokens());
    case Kind::kLlama2c:
      return read_llama2c_tokenizer(path, 0);
    case Kind::kUnknown:
      break;
  }
  fail(
      "{}: expected tokenizer.json, a SentencePiece or tiktoken tokenizer.model or llama2.c's tokenizer.bin, it is "
      "none",
      path.string());
}

}  // namespace

bool has_tokenizer(const std::filesystem::path& directory) {
  return std::filesystem::is_regular_file(directory / kJsonFile) ||
         std::filesystem::is_regular_file(directory / kModelFile);
}

Vocabulary read_tokenizer(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return read_file_of_kind(path);
  for (const char* name : {kJsonFile, kModelFile}) {
    if (std::filesystem::is_regular_file(path / name)) return read_file_of_kind(path / name);
  }
  fail("{}: expected a directory with {} or {}, there is neither", path.string(), kJsonFile, kModelFile);
}

}  // namespace tern
