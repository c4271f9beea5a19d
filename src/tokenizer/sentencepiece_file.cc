#include "tokenizer/sentencepiece_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tern {
namespace {

// How a field of a protocol buffer is stored.
enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// The fields of one message, in the order of the file. Nothing is nested here: a field that is a message is bytes.
class FieldReader {
 public:
  FieldReader(std::string_view message, std::string_view what) : reader_(as_bytes(message)), what_(what) {}

  // Goes to the next field. False at the end.
  bool next() {
    if (reader_.remaining() == 0) return false;
    const uint64_t tag = varint();
    number_ = tag >> 3;
    wire_ = static_cast<Wire>(tag & 7);
    if (number_ == 0 || number_ >= uint64_t{1} << 29) fail("{}: expected a field number, it is {}", what_, number_);
    switch (wire_) {
      case Wire::kVarint:
        value_ = varint();
        return true;
      case Wire::kFixed64:
        value_ = reader_.read<uint64_t>(what_);
        return true;
      case Wire::kFixed32:
        value_ = reader_.read<uint32_t>(what_);
        return true;
      case Wire::kBytes:
        break;
    }
    if (wire_ != Wire::kBytes) fail("{}: field {}: expected a type of 0, 1, 2 or 5, it is {}", what_, number_, tag & 7);
    const uint64_t size = varint();
    if (size > reader_.remaining())
      fail("{}: field {}: expected {} bytes, {} are left", what_, number_, size, reader_.remaining());
    text_ = reader_.take_text(static_cast<size_t>(size), what_);
    return true;
  }

  uint64_t number() const { return number_; }
  std::string_view text() const { return expect(Wire::kBytes), text_; }
  float real() const { return expect(Wire::kFixed32), std::bit_cast<float>(static_cast<uint32_t>(value_)); }
  bool boolean() const { return expect(Wire::kVarint), value_ != 0; }
  // Negative numbers are stored in 64 bits.
  int64_t integer() const { return expect(Wire::kVarint), static_cast<int64_t>(value_); }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader_.read<uint8_t>(what_);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail("{}: expected a number of at most 10 bytes, it has more", what_);
  }

  void expect(Wire wire) const {
    if (wire_ != wire)
      fail("{}: field {}: expected the type {}, it is {}", what_, number_, static_cast<int>(wire),
           static_cast<int>(wire_));
  }

  ByteReader reader_;
  std::string_view what_;
  uint64_t number_ = 0;
  Wire wire_ = Wire::kVarint;
  uint64_t value_ = 0;
  std::string_view text_;
};

// What tern needs of the messages, with the defaults of the format.
struct Model {
  std::vector<std::string> texts;
  std::vector<TokenType> types;
  std::vector<float> scores;
  int64_t model_type = 1;
  int64_t unk_id = 0, bos_id = 1, eos_id = 2;
  bool space_is_suffix = false;
  std::string normalizer;
  size_t character_map_bytes = 0;
  bool puts_space_first = true;
  bool removes_spaces = true;
  bool marks_spaces = true;
};

void read_piece(std::string_view message, Model& model) {
  const size_t index = model.texts.size();
  std::string text;
  float score = 0;
  int64_t type = 1;
  for (FieldReader field(message, "piece"); field.next();) {
    if (field.number() == 1) text = field.text();
    if (field.number() == 2) score = field.real();
    if (field.number() == 3) type = field.integer();
  }
  if (type < 1 || type > 6) fail("piece {} ({}): type: expected 1 to 6, it is {}", index, quote(text), type);
  if (text.empty()) fail("piece {}: expected a text, it is empty", index);
  if (std::isnan(score)) fail("piece {} ({}): expected a score, it is not a number", index, quote(text));
  model.texts.push_back(std::move(text));
  model.types.push_back(static_cast<TokenType>(type));
  model.scores.push_back(score);
}

void read_trainer(std::string_view message, Model& model) {
  for (FieldReader field(message, "trainer_spec"); field.next();) {
    if (field.number() == 3) model.model_type = field.integer();
    if (field.number() == 24) model.space_is_suffix = field.boolean();
    if (field.number() == 40) model.unk_id = field.integer();
    if (field.number() == 41) model.bos_id = field.integer();
    if (field.number() == 42) model.eos_id = field.integer();
  }
}

void read_normalizer(std::string_view message, Model& model) {
  for (FieldReader field(message, "normalizer_spec"); field.next();) {
    if (field.number() == 1) model.normalizer = field.text();
    if (field.number() == 2) model.character_map_bytes = field.text().size();
    if (field.number() == 3) model.puts_space_first = field.boolean();
    if (field.number() == 4) model.removes_spaces = field.boolean();
    if (field.number() == 5) model.marks_spaces = field.boolean();
  }
}

void check_model(const Model& model) {
  constexpr std::string_view kTypes[] = {"unigram", "BPE", "word", "char"};
  if (model.texts.empty()) fail("expected pieces, there are none");
  if (model.model_type != 2) {
    const bool is_known = model.model_type >= 1 && model.model_type <= 4;
    fail("trainer_spec.model_type: expected 2 (BPE), it is {} ({})", model.model_type,
         is_known ? kTypes[model.model_type - 1] : "unknown");
  }
  if (model.space_is_suffix) fail("trainer_spec.treat_whitespace_as_suffix: expected false, it is true");
  if (model.character_map_bytes != 0) {
    fail("normalizer_spec: expected the identity, it is {} with a character map of {} bytes", quote(model.normalizer),
         model.character_map_bytes);
  }
  if (model.removes_spaces) fail("normalizer_spec.remove_extra_whitespaces: expected false, it is true");
  if (!model.marks_spaces) fail("normalizer_spec.escape_whitespaces: expected true, it is false");
}

// An id of the trainer_spec, if it is the piece of such a type; -1 says that there is none.
std::optional<int32_t> special_id(const Model& model, int64_t id, TokenType type) {
  const bool is_there = id >= 0 && static_cast<uint64_t>(id) < model.types.size();
  if (!is_there || model.types[static_cast<size_t>(id)] != type) return std::nullopt;
  return static_cast<int32_t>(id);
}

}  // namespace

bool looks_like_sentencepiece(Bytes content) { return !content.empty() && content[0] == std::byte{0x0A}; }

Vocabulary parse_sentencepiece(Bytes content, const HfSideFiles& side_files) {
  Model model;
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  for (FieldReader field(text, "SentencePiece model"); field.next();) {
    if (field.number() == 1) read_piece(field.text(), model);
    if (field.number() == 2) read_trainer(field.text(), model);
    if (field.number() == 3) read_normalizer(field.text(), model);
  }
  check_model(model);
  const auto count = [&](TokenType type) { return std::count(model.types.begin(), model.types.end(), type); };
  const bool has_user_defined = count(TokenType::kUserDefined) > 0;
  for (size_t id = 0; id < model.texts.size(); ++id) {
    // Pieces of the user's are looked for where spaces have become marks.
    if (model.types[id] == TokenType::kUserDefined) model.texts[id] = spaces_of_marks(model.texts[id]);
  }
  Vocabulary vocabulary;
  set_spm(model.texts, model.types, model.scores, vocabulary);
  vocabulary.unk_id = special_id(model, model.unk_id, TokenType::kUnknown);
  vocabulary.bos_id = special_id(model, model.bos_id, TokenType::kControl);
  if (const auto eos = special_id(model, model.eos_id, TokenType::kControl)) vocabulary.eos_ids = {*eos};
  // Without bytes to fall back to, neighbouring unknown characters are one unknown piece.
  vocabulary.fuse_unk = count(TokenType::kByte) == 0;
  if (model.puts_space_first) vocabulary.space_prefix = has_user_defined ? SpacePrefix::kText : SpacePrefix::kEach;
  append_added_tokens(side_files, vocabulary);
  apply_side_files(side_files, true, vocabulary);
  validate(vocabulary);
  return vocabulary;
}

Vocabulary read_sentencepiece(const std::filesystem::path& path) {
  const MappedFile file(path);
  const HfSideFiles side_files = read_side_files(path.parent_path());
  return with_context(path.string(), [&] { return parse_sentencepiece(file.bytes(), side_files); });
}

}  // namespace tern
