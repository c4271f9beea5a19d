#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/shown.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr std::string_view kBosNames[] = {"<|begin_of_text|>", "<s>", kEndOfText};
constexpr std::string_view kEosNames[] = {"<|end_of_text|>", "</s>", kEndOfText};

// Other spellings of Llama 3's pattern (GPT-4's): they match the same text.
constexpr std::string_view kLlama3Spellings[] = {
    kLlama3Pattern,
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
};

std::string describe(const json& value) {
  if (value.is_string()) return fmt::format("'{}'", shown(value.get_ref<const std::string&>()));
  if (value.is_number() || value.is_boolean()) return value.dump();
  return fmt::format("{}{}", value.is_array() || value.is_object() ? "an " : "", value.type_name());
}

json parse_json(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": without the library's number.
    std::string_view message = error.what();
    if (const size_t end = message.find("] "); end != std::string_view::npos) message.remove_prefix(end + 2);
    fail("not valid JSON ({} bytes): {}", text.size(), shown(message));
  }
}

const json& expect_object(const json& value, std::string_view where) {
  if (!value.is_object()) fail("{}: expected an object, it is {}", where, describe(value));
  return value;
}

const json& expect_array(const json& value, std::string_view where) {
  if (!value.is_array()) fail("{}: expected an array, it is {}", where, describe(value));
  return value;
}

const std::string& expect_text(const json& value, std::string_view where) {
  if (!value.is_string()) fail("{}: expected a text, it is {}", where, describe(value));
  return value.get_ref<const std::string&>();
}

// The field, or nullptr when it is absent or null.
const json* find(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json& require(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) fail("{}: expected the field '{}', it is missing", where, key);
  return *value;
}

bool flag(const json& object, const char* key, bool otherwise, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail("{}.{}: expected true or false, it is {}", where, key, describe(*value));
  return value->get<bool>();
}

// A token id below `size`.
int32_t expect_id(const json& value, size_t size, std::string_view where) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() >= size) {
    fail("{}: expected an id below {} (the number of tokens; ids have no gaps), it is {}", where, size,
         describe(value));
  }
  return static_cast<int32_t>(value.get<uint64_t>());
}

// One reading of one file: the parts of tokenizer.json in the order in which they need each other.
class HfReader {
 public:
  explicit HfReader(const json& root) : root_(expect_object(root, "tokenizer.json")) {}

  Vocabulary read(const HfSideFiles& side_files) {
    read_model();
    read_pre_tokenizer();
    read_decoder();
    if (const json* processor = find(root_, "post_processor")) read_post_processor(*processor);
    read_side_files(side_files);
    validate(vocabulary_);
    return std::move(vocabulary_);
  }

 private:
  void read_model();
  void read_tokens(const json& vocab);
  void read_added_token(const json& added, size_t index, size_t size);
  std::vector<std::string> read_merges(const json& merges) const;
  void read_pre_tokenizer();
  void read_byte_level(const json& step, bool may_split);
  void read_split(const json& step);
  void read_decoder() const;
  void read_post_processor(const json& processor);
  void read_template(const json& processor);
  void read_side_files(const HfSideFiles& side_files);
  void read_generation_config(const json& config, std::optional<int32_t>& bos);
  std::optional<int32_t> added_id(std::string_view name) const;
  std::optional<int32_t> side_token(const json& config, const char* key) const;

  const json& root_;
  Vocabulary vocabulary_;
  std::vector<std::string> texts_;  // by id
  std::vector<TokenType> types_;
  std::vector<char> is_filled_;
  std::vector<Token> added_flags_;  // by id: only the flags count
  bool has_template_ = false;
};

void HfReader::read_model() {
  if (const json* normalizer = find(root_, "normalizer")) {
    const json* type = normalizer->is_object() ? find(*normalizer, "type") : nullptr;
    fail("normalizer: expected null, {} is not supported", describe(type == nullptr ? *normalizer : *type));
  }
  const json& model = expect_object(require(root_, "model", "tokenizer.json"), "model");
  if (const json* type = find(model, "type"); type != nullptr && expect_text(*type, "model.type") != "BPE") {
    fail("model.type: expected 'BPE', it is {}", describe(*type));
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json* affix = find(model, key);
    if (affix != nullptr && expect_text(*affix, key) != "")
      fail("model.{}: expected none, it is {}", key, describe(*affix));
  }
  if (flag(model, "byte_fallback", false, "model"))
    fail("model.byte_fallback: expected false (byte-level BPE), it is true");
  if (const json* dropout = find(model, "dropout"); dropout != nullptr && *dropout != 0) {
    fail("model.dropout: expected none, it is {}", describe(*dropout));
  }
  read_tokens(expect_object(require(model, "vocab", "model"), "model.vocab"));
  set_byte_bpe(texts_, types_, read_merges(require(model, "merges", "model")), vocabulary_);
  for (size_t id = 0; id < added_flags_.size(); ++id) {
    Token& token = vocabulary_.tokens[id];
    token.strip_left = added_flags_[id].strip_left;
    token.strip_right = added_flags_[id].strip_right;
    token.single_word = added_flags_[id].single_word;
  }
  vocabulary_.ignore_merges = flag(model, "ignore_merges", false, "model");
  if (const json* unk = find(model, "unk_token")) {
    const std::string& name = expect_text(*unk, "model.unk_token");
    const auto found = std::find(texts_.begin(), texts_.end(), name);
    if (found == texts_.end()) fail("model.unk_token: expected a token of the vocabulary, '{}' is none", shown(name));
    vocabulary_.unk_id = static_cast<int32_t>(found - texts_.begin());
  }
}

void HfReader::read_tokens(const json& vocab) {
  static const json no_tokens = json::array();
  const json* listed = find(root_, "added_tokens");
  const json& added = listed == nullptr ? no_tokens : expect_array(*listed, "added_tokens");
  size_t size = vocab.size();
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string where = fmt::format("added_tokens[{}]", i);
    if (!vocab.contains(expect_text(require(expect_object(added[i], where), "content", where), where + ".content")))
      ++size;
  }
  texts_.resize(size);
  types_.assign(size, TokenType::kNormal);
  is_filled_.assign(size, 0);
  added_flags_.assign(size, {});
  for (const auto& [text, value] : vocab.items()) {
    const auto id = static_cast<size_t>(expect_id(value, size, fmt::format("model.vocab: token '{}'", shown(text))));
    if (is_filled_[id])
      fail("model.vocab: expected one token for each id, '{}' and '{}' are both {}", shown(texts_[id]), shown(text),
           id);
    texts_[id] = text;
    is_filled_[id] = 1;
  }
  for (size_t i = 0; i < added.size(); ++i) read_added_token(added[i], i, size);
  // As many ids as tokens, none twice and none too large: there is no gap.
}

void HfReader::read_added_token(const json& added, size_t index, size_t size) {
  const std::string& text = added.find("content")->get_ref<const std::string&>();
  const std::string where = fmt::format("added_tokens[{}] ('{}')", index, shown(text));
  const auto id = static_cast<size_t>(expect_id(require(added, "id", where), size, where + ".id"));
  if (types_[id] != TokenType::kNormal || (is_filled_[id] && texts_[id] != text)) {
    fail("{}: expected an id of its own, {} is '{}'", where, id, shown(texts_[id]));
  }
  texts_[id] = text;
  is_filled_[id] = 1;
  types_[id] = flag(added, "special", false, where) ? TokenType::kControl : TokenType::kUserDefined;
  added_flags_[id].strip_left = flag(added, "lstrip", false, where);
  added_flags_[id].strip_right = flag(added, "rstrip", false, where);
  added_flags_[id].single_word = flag(added, "single_word", false, where);
}

std::vector<std::string> HfReader::read_merges(const json& merges) const {
  std::vector<std::string> texts;
  texts.reserve(expect_array(merges, "model.merges").size());
  for (const json& merge : merges) {
    const bool is_pair = merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
    if (!is_pair && !merge.is_string()) {
      fail("model.merges[{}]: expected \"a b\" or [\"a\", \"b\"], it is {}", texts.size(), describe(merge));
    }
    texts.push_back(is_pair ? merge[0].get<std::string>() + ' ' + merge[1].get<std::string>()
                            : merge.get<std::string>());
  }
  return texts;
}

void HfReader::read_byte_level(const json& step, bool may_split) {
  const bool use_regex = flag(step, "use_regex", true, "pre_tokenizer.ByteLevel");
  vocabulary_.add_space_prefix = flag(step, "add_prefix_space", true, "pre_tokenizer.ByteLevel");
  if (may_split) vocabulary_.split = use_regex ? SplitRule::kGpt2 : SplitRule::kNone;
  if (!may_split && (use_regex || vocabulary_.add_space_prefix)) {
    fail("pre_tokenizer: expected ByteLevel after Split without use_regex and add_prefix_space, they are {} and {}",
         use_regex, vocabulary_.add_space_prefix);
  }
}

void HfReader::read_split(const json& step) {
  const json& pattern = expect_object(require(step, "pattern", "pre_tokenizer.Split"), "pre_tokenizer.Split.pattern");
  const json& regex_field = require(pattern, "Regex", "pre_tokenizer.Split.pattern");
  const std::string& regex = expect_text(regex_field, "pre_tokenizer.Split.pattern.Regex");
  if (regex == kGpt2Pattern) {
    vocabulary_.split = SplitRule::kGpt2;
  } else if (std::count(std::begin(kLlama3Spellings), std::end(kLlama3Spellings), regex) > 0) {
    vocabulary_.split = SplitRule::kLlama3;
  } else if (regex == kCharPattern) {
    vocabulary_.split = SplitRule::kChar;
  } else {
    vocabulary_.split = SplitRule::kRegex;
    vocabulary_.split_regex = regex;
    with_context("pre_tokenizer.Split", [&] { RegexSplitter{regex}; });
  }
  const json& behavior_field = require(step, "behavior", "pre_tokenizer.Split");
  const std::string& behavior = expect_text(behavior_field, "pre_tokenizer.Split.behavior");
  // Dropping what does not match is the same where every character matches, as in the known patterns.
  const bool keeps_matches = behavior == "Removed" && flag(step, "invert", false, "pre_tokenizer.Split") &&
                             vocabulary_.split != SplitRule::kRegex;
  if (behavior != "Isolated" && !keeps_matches)
    fail("pre_tokenizer.Split.behavior: expected 'Isolated', it is '{}'", shown(behavior));
}

void HfReader::read_pre_tokenizer() {
  const json* found = find(root_, "pre_tokenizer");
  if (found == nullptr) fail("pre_tokenizer: expected ByteLevel or a Sequence with it, it is missing");
  const json& outer = expect_object(*found, "pre_tokenizer");
  const std::string& outer_type = expect_text(require(outer, "type", "pre_tokenizer"), "pre_tokenizer.type");
  if (outer_type == "ByteLevel") {
    read_byte_level(outer, true);
    return;
  }
  if (outer_type != "Sequence")
    fail("pre_tokenizer.type: expected 'ByteLevel' or 'Sequence', it is '{}'", shown(outer_type));
  const json& steps = expect_array(require(outer, "pretokenizers", "pre_tokenizer"), "pre_tokenizer.pretokenizers");
  std::vector<std::string> types;
  for (const json& step : steps) {
    types.push_back(expect_text(require(expect_object(step, "pre_tokenizer step"), "type", "pre_tokenizer step"),
                                "pre_tokenizer step"));
  }
  if (types == std::vector<std::string>{"ByteLevel"}) {
    read_byte_level(steps[0], true);
  } else if (types == std::vector<std::string>{"Split", "ByteLevel"}) {
    read_split(steps[0]);
    read_byte_level(steps[1], false);
  } else {
    std::string names;
    for (const std::string& type : types) names += (names.empty() ? "" : ", ") + type;
    fail("pre_tokenizer: expected the sequence Split, ByteLevel, it is '{}'", shown(names));
  }
}

void HfReader::read_decoder() const {
  const json* decoder = find(root_, "decoder");
  if (decoder == nullptr) return;
  const json& type = require(expect_object(*decoder, "decoder"), "type", "decoder");
  if (expect_text(type, "decoder.type") != "ByteLevel")
    fail("decoder.type: expected 'ByteLevel', it is {}", describe(type));
}

void HfReader::read_post_processor(const json& processor) {
  const std::string& type =
      expect_text(require(expect_object(processor, "post_processor"), "type", "post_processor"), "post_processor.type");
  if (type == "ByteLevel") return;  // concerns offsets only
  if (type == "TemplateProcessing") {
    read_template(processor);
    return;
  }
  if (type != "Sequence")
    fail("post_processor.type: expected ByteLevel, TemplateProcessing or Sequence, it is '{}'", shown(type));
  const json& steps = expect_array(require(processor, "processors", "post_processor"), "post_processor.processors");
  for (const json& step : steps) {
    // One level deep: a sequence inside a sequence has no use, and no depth can exhaust the stack.
    const json* inner = step.is_object() ? find(step, "type") : nullptr;
    if (inner != nullptr && *inner == "Sequence")
      fail("post_processor.processors: expected no Sequence in a Sequence, there is one");
    read_post_processor(step);
  }
}

void HfReader::read_template(const json& processor) {
  constexpr std::string_view kWhere = "post_processor.single";
  const json& single = expect_array(require(processor, "single", "post_processor"), kWhere);
  has_template_ = true;
  if (single.size() == 1 && single[0].is_object() && single[0].contains("Sequence")) return;
  const bool puts_one_first = single.size() == 2 && single[0].is_object() && single[0].contains("SpecialToken") &&
                              single[1].is_object() && single[1].contains("Sequence");
  if (!puts_one_first)
    fail("{}: expected at most one special token, before the text; there are {} steps", kWhere, single.size());
  const json& special = expect_object(single[0]["SpecialToken"], kWhere);
  const std::string& name = expect_text(require(special, "id", kWhere), kWhere);
  vocabulary_.bos_id = added_id(name);
  if (!vocabulary_.bos_id) fail("{}: expected an added token, '{}' is none", kWhere, shown(name));
  vocabulary_.add_bos = true;
}

std::optional<int32_t> HfReader::added_id(std::string_view name) const {
  for (size_t id = 0; id < texts_.size(); ++id) {
    const bool is_added = types_[id] == TokenType::kControl || types_[id] == TokenType::kUserDefined;
    if (is_added && texts_[id] == name) return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

// tokenizer_config.json names tokens by text, or by an object with "content".
std::optional<int32_t> HfReader::side_token(const json& config, const char* key) const {
  const json* value = find(config, key);
  if (value == nullptr) return std::nullopt;
  const std::string where = fmt::format("tokenizer_config.json: {}", key);
  const std::string& name = expect_text(value->is_object() ? require(*value, "content", where) : *value, where);
  const auto found = std::find(texts_.begin(), texts_.end(), name);
  if (found == texts_.end()) fail("{}: expected a token of tokenizer.json, '{}' is none", where, shown(name));
  return static_cast<int32_t>(found - texts_.begin());
}

void HfReader::read_generation_config(const json& config, std::optional<int32_t>& bos) {
  const json* bos_field = find(config, "bos_token_id");
  if (bos_field != nullptr && !bos) bos = expect_id(*bos_field, texts_.size(), "generation_config.json: bos_token_id");
  const json* eos_field = find(config, "eos_token_id");
  if (eos_field == nullptr) return;
  const auto add = [&](const json& id) {
    vocabulary_.eos_ids.push_back(expect_id(id, texts_.size(), "generation_config.json: eos_token_id"));
  };
  // No copy: copying JSON is recursive, and a file may be nested as deep as it likes.
  if (!eos_field->is_array()) add(*eos_field);
  if (eos_field->is_array()) std::for_each(eos_field->begin(), eos_field->end(), add);
}

void HfReader::read_side_files(const HfSideFiles& side_files) {
  const auto parse = [](const std::string& text, const char* name) {
    return text.empty() ? json::object() : with_context(name, [&] { return parse_json(text); });
  };
  const json tokenizer_config = parse(side_files.tokenizer_config, "tokenizer_config.json");
  const json generation_config = parse(side_files.generation_config, "generation_config.json");
  expect_object(tokenizer_config, "tokenizer_config.json");
  expect_object(generation_config, "generation_config.json");

  std::optional<int32_t> bos = side_token(tokenizer_config, "bos_token");
  read_generation_config(generation_config, bos);
  if (!bos) bos = vocabulary_.bos_id;  // the post-processor's
  for (std::string_view name : kBosNames) {
    if (!bos) bos = added_id(name);
  }
  // A template that puts another token first is obeyed: that token is what texts begin with.
  if (!vocabulary_.add_bos) vocabulary_.bos_id = bos;

  std::vector<int32_t>& eos = vocabulary_.eos_ids;
  const std::optional<int32_t> named = side_token(tokenizer_config, "eos_token");
  if (named && std::count(eos.begin(), eos.end(), *named) == 0) eos.push_back(*named);
  for (std::string_view name : kEosNames) {
    const std::optional<int32_t> known = eos.empty() ? added_id(name) : std::nullopt;
    if (known) eos.push_back(*known);
  }
  if (!has_template_ && vocabulary_.bos_id) {
    vocabulary_.add_bos = flag(tokenizer_config, "add_bos_token", false, "tokenizer_config.json");
  }
}

}  // namespace

Vocabulary parse_hf_tokenizer(std::string_view tokenizer_json, const HfSideFiles& side_files) {
  const json root = parse_json(tokenizer_json);
  return HfReader(root).read(side_files);
}

Vocabulary read_hf_tokenizer(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  const auto read_beside = [&](const char* name) {
    const std::filesystem::path beside = file.parent_path() / name;
    return std::filesystem::is_regular_file(beside) ? read_file(beside) : std::string();
  };
  const std::string content = read_file(file);
  const HfSideFiles side_files{read_beside("tokenizer_config.json"), read_beside("generation_config.json")};
  return with_context(file.string(), [&] { return parse_hf_tokenizer(content, side_files); });
}

}  // namespace tern
