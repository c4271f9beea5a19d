#include "tokenizer/tiktoken_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/cuts.h"
#include "tokenizer/token_index.h"

namespace tern {
namespace {

// By character; -1 for what is no digit.
constexpr std::array<int8_t, 256> kBase64 = [] {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<int8_t, 256> values{};
  for (int8_t& value : values) value = -1;
  for (size_t i = 0; i < kDigits.size(); ++i) values[static_cast<uint8_t>(kDigits[i])] = static_cast<int8_t>(i);
  return values;
}();

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string bytes;
  uint32_t bits = 0;
  size_t bit_count = 0;
  for (char letter : text) {
    const int8_t value = kBase64[static_cast<uint8_t>(letter)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes.push_back(static_cast<char>(static_cast<uint8_t>(bits >> bit_count)));
  }
  return bytes;
}

struct RankedToken {
  std::string bytes;
  size_t rank;
};

RankedToken parse_line(std::string_view line, size_t number) {
  const size_t space = line.find(' ');
  const std::string_view digits = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  std::optional<std::string> bytes = decode_base64(line.substr(0, space));
  size_t rank = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (!bytes || digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    fail("line {}: expected a base64 text, a space and a number; it has {} bytes and is not that", number, line.size());
  }
  return {*std::move(bytes), rank};
}

std::vector<RankedToken> parse_lines(std::string_view content) {
  std::vector<RankedToken> tokens;
  for (size_t number = 1; !content.empty(); ++number) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    if (!line.empty()) tokens.push_back(parse_line(line, number));
  }
  return tokens;
}

void add_merges(Vocabulary& vocabulary) {
  size_t longest = 0;
  for (const Token& token : vocabulary.tokens) longest = std::max(longest, token.bytes.size());
  TokenIndex ids(vocabulary.tokens.size());
  TokenCuts cuts(ids, longest);
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    ids.insert(vocabulary.tokens[id].bytes, static_cast<int32_t>(id));
    cuts.add_size(vocabulary.tokens[id].bytes.size());
  }
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const size_t first = vocabulary.merges.size();
    cuts.for_each(vocabulary.tokens[id].bytes, [&](int32_t left, int32_t right, size_t) {
      vocabulary.merges.push_back({left, right, static_cast<int32_t>(id)});
    });
    std::sort(vocabulary.merges.begin() + static_cast<std::ptrdiff_t>(first), vocabulary.merges.end(),
              [](const Merge& a, const Merge& b) { return a.left != b.left ? a.left < b.left : a.right < b.right; });
  }
}

}  // namespace

Vocabulary parse_tiktoken(std::string_view content, std::span<const std::string> special) {
  std::vector<RankedToken> ranked = parse_lines(content);
  if (ranked.empty()) fail("expected tokens with ranks, the file has none");
  Vocabulary vocabulary;
  vocabulary.split = SplitRule::kLlama3;
  vocabulary.ignore_merges = true;
  vocabulary.tokens.resize(ranked.size());
  for (RankedToken& token : ranked) {
    if (token.rank >= ranked.size())
      fail("rank: expected below {} (the number of tokens), it is {}", ranked.size(), token.rank);
    if (!vocabulary.tokens[token.rank].bytes.empty())
      fail("rank {}: expected one token with it, there are two", token.rank);
    vocabulary.tokens[token.rank].bytes = std::move(token.bytes);
  }
  add_merges(vocabulary);
  for (const std::string& name : special) {
    const auto id = static_cast<int32_t>(vocabulary.tokens.size());
    vocabulary.tokens.push_back({.bytes = name, .type = TokenType::kControl});
    if (name == "<|begin_of_text|>") vocabulary.bos_id = id;
    if (name == "<|end_of_text|>") vocabulary.eos_ids = {id};
  }
  vocabulary.add_bos = vocabulary.bos_id.has_value();
  validate(vocabulary);
  return vocabulary;
}

Vocabulary read_tiktoken(const std::filesystem::path& path, std::span<const std::string> special) {
  const std::string content = read_file(path);
  return with_context(path.string(), [&] { return parse_tiktoken(content, special); });
}

std::vector<std::string> llama3_special_tokens() {
  std::vector<std::string> names = {"<|begin_of_text|>", "<|end_of_text|>"};
  int reserved = 0;
  const auto reserve = [&](int count) {
    for (int i = 0; i < count; ++i) names.push_back(fmt::format("<|reserved_special_token_{}|>", reserved++));
  };
  reserve(4);
  names.insert(names.end(), {"<|start_header_id|>", "<|end_header_id|>"});
  reserve(1);
  names.emplace_back("<|eot_id|>");
  reserve(246);
  return names;
}

}  // namespace tern
