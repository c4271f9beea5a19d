#include "tokenizer/llama2c_file.h"

#include <string>

#include "base/error.h"
#include "base/file.h"

namespace tern {
namespace {

constexpr size_t kLeastTokenBytes = sizeof(float) + sizeof(int32_t);
constexpr int32_t kBos = 1;
constexpr int32_t kEos = 2;
constexpr size_t kFirstByte = 3;

// How many tokens there are until the end, whatever they are.
size_t count_tokens(Bytes content) {
  ByteReader reader(content);
  reader.skip(sizeof(int32_t), "longest token");
  size_t count = 0;
  for (; reader.remaining() > 0; ++count) {
    reader.skip(sizeof(float), "score of a token");
    const auto size = reader.read<int32_t>("size of a token");
    if (size < 0) fail("token {}: size: expected 0 or more, it is {}", count, size);
    reader.skip(static_cast<size_t>(size), "bytes of a token");
  }
  return count;
}

}  // namespace

Vocabulary parse_llama2c_tokenizer(Bytes content, size_t vocab_size) {
  ByteReader reader(content);
  const auto longest = reader.read<int32_t>("longest token");
  if (longest < 1) fail("longest token: expected at least 1 byte, it is {}", longest);
  if (vocab_size == 0) vocab_size = count_tokens(content);
  if (vocab_size <= kFirstByte || vocab_size > reader.remaining() / kLeastTokenBytes) {
    fail("vocabulary size: expected {} to {} (what {} bytes can hold), it is {}", kFirstByte + 1,
         reader.remaining() / kLeastTokenBytes, content.size(), vocab_size);
  }
  std::vector<std::string> texts;
  std::vector<TokenType> types;
  std::vector<float> scores;
  for (size_t id = 0; id < vocab_size; ++id) {
    scores.push_back(reader.read<float>("score of a token"));
    const auto size = reader.read<int32_t>("size of a token");
    if (size < 0 || size > longest) fail("token {}: size: expected 0 to {}, it is {}", id, longest, size);
    std::string text(reader.take_text(static_cast<size_t>(size), "bytes of a token"));
    const bool is_byte = id >= kFirstByte && id < kFirstByte + 256 && text.size() == 6 && text.starts_with("<0x");
    types.push_back(is_byte ? TokenType::kByte : TokenType::kNormal);
    texts.push_back(std::move(text));
  }
  if (reader.remaining() != 0) {
    fail("expected {} tokens to end at byte {}, the file has {} bytes", vocab_size, reader.offset(), content.size());
  }
  // The file has line ends around the names of BOS and EOS, for run.c's output.
  texts[0] = "<unk>", texts[kBos] = "<s>", texts[kEos] = "</s>";
  types[0] = TokenType::kUnknown, types[kBos] = types[kEos] = TokenType::kControl;
  Vocabulary vocabulary;
  set_spm(texts, types, scores, vocabulary);
  vocabulary.bos_id = kBos;
  vocabulary.eos_ids = {kEos};
  vocabulary.unk_id = 0;
  vocabulary.add_bos = true;
  vocabulary.space_prefix = SpacePrefix::kEach;
  validate(vocabulary);
  return vocabulary;
}

Vocabulary read_llama2c_tokenizer(const std::filesystem::path& path, size_t vocab_size) {
  const MappedFile file(path);
  return with_context(path.string(), [&] { return parse_llama2c_tokenizer(file.bytes(), vocab_size); });
}

}  // namespace tern
