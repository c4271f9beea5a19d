// A tokenizer as plain data: what files hold and what Tokenizer is made from. Readers (hf_json.h, tiktoken_file.h,
// llama2c_file.h, and the GGUF loader two floors up) fill a Vocabulary; writers take one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

enum class TokenAlgorithm : uint8_t {
  kByteBpe,  // bytes merged by a ranked list of pairs (GPT-2, Llama 3; GGUF "gpt2")
  kSpm,      // characters merged by the score of the result, bytes as fallback (Llama 2; GGUF "llama")
  kCharBpe,  // characters merged by a ranked list of pairs, bytes as fallback (Llama 2 in tokenizer.json)
};

// How text is cut into pieces that no merge crosses.
enum class SplitRule : uint8_t {
  kNone,    // not at all
  kChar,    // every character by itself
  kGpt2,    // GPT-2's pattern
  kLlama3,  // Llama 3's pattern, which is also GPT-4's (cl100k)
  kRegex,   // Vocabulary::split_regex, by PCRE2
  kSpaces,  // before every space (Metaspace)
};

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, how SentencePiece writes a space

// Where encoders put a space that the text does not have, so that its first word looks like any other.
enum class SpacePrefix : uint8_t {
  kNone,
  kEach,              // before every stretch of text between added tokens
  kEachUnlessSpace,   // the same, unless it begins with a space
  kFirstUnlessSpace,  // before the text, unless it begins with a space or an added token
  kText,              // before the text, before added tokens are looked for
};

// The numbers are GGUF's (tokenizer.ggml.token_type).
enum class TokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,      // stands for what has no token
  kControl = 3,      // special: matched in text only on request
  kUserDefined = 4,  // added: always matched in text as a whole, before anything else
  kUnused = 5,       // never produced; decodes to its text
  kByte = 6,         // kSpm: one byte, for characters without a token
};

struct Token {
  std::string bytes;  // what it decodes to; for kControl, kUserDefined, kUnknown and kUnused its literal text
  TokenType type = TokenType::kNormal;
  float score = 0;           // kSpm: the higher, the earlier a merge into this token
  bool strip_left = false;   // added tokens: swallow white space before
  bool strip_right = false;  // ... after
  bool single_word = false;  // ... match only when no word character is beside it
  bool normalized = false;   // ... match after the others, in text that has its SpacePrefix::kEach
};

// left + right -> result. bytes(result) == bytes(left) + bytes(right).
struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;

  bool operator==(const Merge&) const = default;
};

struct Vocabulary {
  TokenAlgorithm algorithm = TokenAlgorithm::kByteBpe;
  std::vector<Token> tokens;  // the index is the id
  std::vector<Merge> merges;  // not kSpm: the index is the rank, the lowest is merged first
  SplitRule split = SplitRule::kGpt2;
  std::string split_regex;  // for SplitRule::kRegex
  // Patterns that cut the text before `split` does, one after the other; no merge crosses these cuts either.
  std::vector<std::string> pre_splits;
  // kByteBpe: patterns that cut what `split` leaves, as bytes (byte_split.h).
  std::vector<std::string> byte_splits;
  bool ignore_merges = false;  // a piece that is a token as a whole is that token, whatever the merges say
  bool fuse_unk = false;       // characters without a token that stand side by side become one unk_id
  bool nfc = false;            // text between added tokens is brought into Unicode's normalization form C
  SpacePrefix space_prefix = SpacePrefix::kNone;
  std::optional<int32_t> bos_id;
  std::vector<int32_t> eos_ids;  // every id that ends a text; the first is the one to write
  std::optional<int32_t> unk_id;
  bool add_bos = false;  // whether encoders put bos_id first by default
  bool add_eos = false;  // whether a text to embed ends with eos_ids[0]
};

// The name of the special token of vocabularies made by tern: it begins and ends documents.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// Error unless ids are in range, tokens distinct, merges consistent and the special ids present.
void validate(const Vocabulary& vocabulary);

// A stable 64-bit hash (FNV-1a) of all that decides which ids a text becomes: equal for a vocabulary read back from any
// file that kept it. BOS and EOS are not part of it.
uint64_t vocabulary_hash(const Vocabulary& vocabulary);

// --- The text form that tokenizer.json and GGUF share (kByteBpe: byte-level text, see byte_level.h). ---

// The token as files write it: for kNormal byte-level text in kByteBpe and U+2581 for spaces in the others, <0xAB> for
// bytes, else literal.
std::string token_text(const Vocabulary& vocabulary, int32_t id);

// The merges as "left right", the two in the form of token_text.
std::vector<std::string> merge_texts(const Vocabulary& vocabulary);

// Fills tokens and merges of a kByteBpe vocabulary from that form. `types` has the size of `texts`. A kNormal text that
// is not byte-level becomes kUnused. Error for a merge that names or makes an unknown token, and for duplicates.
void set_byte_bpe(std::span<const std::string> texts, std::span<const TokenType> types,
                  std::span<const std::string> merges, Vocabulary& vocabulary);

// The same for a kCharBpe vocabulary: U+2581 stands for a space, kByte texts are like <0x0A>.
void set_char_bpe(std::span<const std::string> texts, std::span<const TokenType> types,
                  std::span<const std::string> merges, Vocabulary& vocabulary);

// Fills the tokens of a kSpm vocabulary from that form. The three spans have one size.
void set_spm(std::span<const std::string> texts, std::span<const TokenType> types, std::span<const float> scores,
             Vocabulary& vocabulary);

// "<0x0A>" -> 10, -1 for what is no such text.
int parse_byte_text(std::string_view text);

// `text` with a space for every U+2581, as SentencePiece writes one.
std::string spaces_of_marks(std::string_view text);

// "byte-level BPE", "SPM", "character BPE".
std::string_view token_algorithm_name(TokenAlgorithm algorithm);

// "none", "char", "gpt2", "llama3", "regex", "spaces".
std::string_view split_rule_name(SplitRule rule);
// The rule called `name`, or Error listing the names.
SplitRule parse_split_rule(std::string_view name);

// "none", "each", "each-unless-space", "first-unless-space", "text".
std::string_view space_prefix_name(SpacePrefix prefix);
SpacePrefix parse_space_prefix(std::string_view name);

}  // namespace tern
