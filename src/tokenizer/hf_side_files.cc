#include "tokenizer/hf_side_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tokenizer/json_fields.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMostIds = size_t{1} << 30;
constexpr std::string_view kBosNames[] = {"<|begin_of_text|>", "<s>", kEndOfText};
constexpr std::string_view kEosNames[] = {"<|end_of_text|>", "</s>", kEndOfText};

std::optional<int32_t> find_token(const Vocabulary& vocabulary, std::string_view text) {
  if (const auto added = added_token_id(vocabulary, text)) return added;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (token_text(vocabulary, static_cast<int32_t>(id)) == text) return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

// tokenizer_config.json names tokens by text, or by an object with "content".
std::optional<int32_t> side_token(const Vocabulary& vocabulary, const json& config, const char* key) {
  const json* value = find_field(config, key);
  if (value == nullptr) return std::nullopt;
  const std::string where = fmt::format("tokenizer_config.json: {}", key);
  const std::string& name = expect_text(value->is_object() ? require(*value, "content", where) : *value, where);
  const std::optional<int32_t> id = find_token(vocabulary, name);
  if (!id) fail("{}: expected a token of the tokenizer, {} is none", where, quote(name));
  return id;
}

void read_generation_config(const json& config, Vocabulary& vocabulary, std::optional<int32_t>& bos) {
  const size_t size = vocabulary.tokens.size();
  const json* bos_field = find_field(config, "bos_token_id");
  if (bos_field != nullptr && !bos) bos = expect_id(*bos_field, size, "generation_config.json: bos_token_id");
  const json* eos_field = find_field(config, "eos_token_id");
  if (eos_field == nullptr) return;
  const auto add = [&](const json& id) {
    vocabulary.eos_ids.push_back(expect_id(id, size, "generation_config.json: eos_token_id"));
  };
  // No copy: copying JSON is recursive, and a file may be nested as deep as it likes.
  if (!eos_field->is_array()) add(*eos_field);
  if (eos_field->is_array()) std::for_each(eos_field->begin(), eos_field->end(), add);
}

json parse_side_file(const std::string& text, const char* name) {
  if (text.empty()) return json::object();
  json parsed = with_context(name, [&] { return parse_json(text); });
  expect_object(parsed, name);
  return parsed;
}

std::string text_beside(const std::filesystem::path& directory, const char* name) {
  const std::filesystem::path path = directory / name;
  return std::filesystem::is_regular_file(path) ? read_file(path) : std::string();
}

// One token of a side file: a new one at the vocabulary's end, or one that is there.
void add_token(int32_t id, const Token& token, std::string_view where, Vocabulary& vocabulary) {
  const auto index = static_cast<size_t>(id);
  if (index > vocabulary.tokens.size()) {
    fail("{}: expected ids without a gap, the vocabulary has {} tokens and {} is {}", where, vocabulary.tokens.size(),
         quote(token.bytes), id);
  }
  if (index == vocabulary.tokens.size()) {
    vocabulary.tokens.push_back(token);
    return;
  }
  if (token_text(vocabulary, id) != token.bytes) {
    fail("{}: id {}: expected {}, it is {}", where, id, quote(token_text(vocabulary, id)), quote(token.bytes));
  }
  Token& known = vocabulary.tokens[index];
  const bool is_plain = known.type == TokenType::kNormal || known.type == TokenType::kUserDefined;
  Token changed = token;
  changed.score = known.score;
  if (is_plain || known.type == TokenType::kControl) known = changed;
}

Token added_token(const std::string& text, const json& flags, std::string_view where) {
  Token token{.bytes = text, .type = TokenType::kUserDefined};
  if (flag(flags, "special", false, where)) token.type = TokenType::kControl;
  token.strip_left = flag(flags, "lstrip", false, where);
  token.strip_right = flag(flags, "rstrip", false, where);
  token.single_word = flag(flags, "single_word", false, where);
  token.normalized = flag(flags, "normalized", false, where);
  return token;
}

}  // namespace

HfSideFiles read_side_files(const std::filesystem::path& directory) {
  return {text_beside(directory, "tokenizer_config.json"), text_beside(directory, "generation_config.json"),
          text_beside(directory, "added_tokens.json")};
}

std::optional<int32_t> added_token_id(const Vocabulary& vocabulary, std::string_view text) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& token = vocabulary.tokens[id];
    const bool is_added = token.type == TokenType::kControl || token.type == TokenType::kUserDefined;
    if (is_added && token.bytes == text) return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

void apply_side_files(const HfSideFiles& side_files, std::optional<bool> add_bos, Vocabulary& vocabulary) {
  const json tokenizer_config = parse_side_file(side_files.tokenizer_config, "tokenizer_config.json");
  const json generation_config = parse_side_file(side_files.generation_config, "generation_config.json");
  std::optional<int32_t> bos = side_token(vocabulary, tokenizer_config, "bos_token");
  const std::vector<int32_t> known_eos = std::exchange(vocabulary.eos_ids, {});
  read_generation_config(generation_config, vocabulary, bos);
  if (!bos) bos = vocabulary.bos_id;
  for (std::string_view name : kBosNames) {
    if (!bos) bos = added_token_id(vocabulary, name);
  }
  // A template that puts another token first is obeyed: that token is what texts begin with.
  if (add_bos || !vocabulary.add_bos) vocabulary.bos_id = bos;

  std::vector<int32_t>& eos = vocabulary.eos_ids;
  const std::optional<int32_t> named = side_token(vocabulary, tokenizer_config, "eos_token");
  if (named && std::count(eos.begin(), eos.end(), *named) == 0) eos.push_back(*named);
  if (eos.empty()) eos = known_eos;
  // A template that ends texts to embed says by which token.
  if (vocabulary.add_eos) {
    std::erase(eos, known_eos.front());
    eos.insert(eos.begin(), known_eos.front());
  }
  for (std::string_view name : kEosNames) {
    const std::optional<int32_t> known = eos.empty() ? added_token_id(vocabulary, name) : std::nullopt;
    if (known) eos.push_back(*known);
  }
  const bool config_adds_eos = flag(tokenizer_config, "add_eos_token", false, "tokenizer_config.json");
  vocabulary.add_eos = vocabulary.add_eos || (config_adds_eos && !eos.empty());
  if (add_bos && vocabulary.bos_id) {
    vocabulary.add_bos = flag(tokenizer_config, "add_bos_token", *add_bos, "tokenizer_config.json");
  }
}

void append_added_tokens(const HfSideFiles& side_files, Vocabulary& vocabulary) {
  constexpr const char* kAdded = "added_tokens.json";
  constexpr const char* kDecoder = "tokenizer_config.json: added_tokens_decoder";
  std::map<int32_t, Token> tokens;
  const json added = parse_side_file(side_files.added_tokens, kAdded);
  for (const auto& [text, id] : added.items()) {
    tokens[expect_id(id, kMostIds, kAdded)] = {.bytes = text, .type = TokenType::kUserDefined};
  }
  const json config = parse_side_file(side_files.tokenizer_config, "tokenizer_config.json");
  const json* decoder = find_field(config, "added_tokens_decoder");
  if (decoder != nullptr) expect_object(*decoder, kDecoder);
  for (auto entry = decoder == nullptr ? added.end() : decoder->begin(); decoder != nullptr && entry != decoder->end();
       ++entry) {
    const std::string& key = entry.key();
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      fail("{}: expected ids as keys, one is {}", kDecoder, quote(key));
    expect_object(entry.value(), kDecoder);
    tokens[id] =
        added_token(expect_text(require(entry.value(), "content", kDecoder), kDecoder), entry.value(), kDecoder);
  }
  for (const auto& [id, token] : tokens) add_token(id, token, decoder == nullptr ? kAdded : kDecoder, vocabulary);
}

}  // namespace tern
