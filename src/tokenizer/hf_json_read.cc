#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/hf_pipeline.h"
#include "tokenizer/json_fields.h"

namespace tern {
namespace {

using nlohmann::json;

// One reading of one file: the parts of tokenizer.json in the order in which they need each other.
class HfReader {
 public:
  explicit HfReader(const json& root) : root_(expect_object(root, "tokenizer.json")) {}

  Vocabulary read(const HfSideFiles& side_files) {
    read_hf_pipeline(root_, vocabulary_);
    read_model();
    if (const json* processor = find_field(root_, "post_processor")) read_post_processor(*processor);
    // A template says whether texts begin with BOS; without one tokenizer_config.json may.
    apply_side_files(side_files, has_template_ ? std::nullopt : std::optional<bool>(false), vocabulary_);
    validate(vocabulary_);
    return std::move(vocabulary_);
  }

 private:
  void read_model();
  void read_tokens(const json& vocab);
  void read_added_token(const json& added, size_t index, size_t size);
  std::vector<std::string> read_merges(const json& merges) const;
  void read_post_processor(const json& processor);
  void read_template(const json& processor);
  int32_t template_token(const json& step) const;  // the special token that a template's step names

  const json& root_;
  Vocabulary vocabulary_;
  std::vector<std::string> texts_;  // by id
  std::vector<TokenType> types_;
  std::vector<char> is_filled_;
  std::vector<Token> added_flags_;  // by id: only the flags count
  bool has_template_ = false;
};

void HfReader::read_model() {
  const json& model = expect_object(require(root_, "model", "tokenizer.json"), "model");
  if (const json* type = find_field(model, "type"); type != nullptr && expect_text(*type, "model.type") != "BPE") {
    fail("model.type: expected 'BPE', it is {}", describe(*type));
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json* affix = find_field(model, key);
    if (affix != nullptr && expect_text(*affix, key) != "")
      fail("model.{}: expected none, it is {}", key, describe(*affix));
  }
  const bool by_bytes = vocabulary_.algorithm == TokenAlgorithm::kByteBpe;
  const bool byte_fallback = flag(model, "byte_fallback", false, "model");
  if (by_bytes && byte_fallback) fail("model.byte_fallback: expected false (byte-level BPE), it is true");
  if (const json* dropout = find_field(model, "dropout"); dropout != nullptr && *dropout != 0) {
    fail("model.dropout: expected none, it is {}", describe(*dropout));
  }
  read_tokens(expect_object(require(model, "vocab", "model"), "model.vocab"));
  for (size_t id = 0; byte_fallback && id < texts_.size(); ++id) {
    if (types_[id] == TokenType::kNormal && parse_byte_text(texts_[id]) >= 0) types_[id] = TokenType::kByte;
  }
  const std::vector<std::string> merges = read_merges(require(model, "merges", "model"));
  by_bytes ? set_byte_bpe(texts_, types_, merges, vocabulary_) : set_char_bpe(texts_, types_, merges, vocabulary_);
  for (size_t id = 0; id < added_flags_.size(); ++id) {
    Token& token = vocabulary_.tokens[id];
    token.strip_left = added_flags_[id].strip_left;
    token.strip_right = added_flags_[id].strip_right;
    token.single_word = added_flags_[id].single_word;
    token.normalized = added_flags_[id].normalized;
    if (!by_bytes && token.normalized && (token.strip_left || token.strip_right))
      fail("added token {} ({}): expected no lstrip and rstrip together with normalized", id, quote(token.bytes));
  }
  vocabulary_.ignore_merges = flag(model, "ignore_merges", false, "model");
  if (const json* unk = find_field(model, "unk_token")) {
    const std::string& name = expect_text(*unk, "model.unk_token");
    const auto found = std::find(texts_.begin(), texts_.end(), name);
    if (found == texts_.end()) fail("model.unk_token: expected a token of the vocabulary, {} is none", quote(name));
    vocabulary_.unk_id = static_cast<int32_t>(found - texts_.begin());
    vocabulary_.fuse_unk = flag(model, "fuse_unk", false, "model");
  }
}

void HfReader::read_tokens(const json& vocab) {
  static const json no_tokens = json::array();
  const json* listed = find_field(root_, "added_tokens");
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
    const auto id = static_cast<size_t>(expect_id(value, size, fmt::format("model.vocab: token {}", quote(text))));
    if (is_filled_[id])
      fail("model.vocab: expected one token for each id, {} and {} are both {}", quote(texts_[id]), quote(text), id);
    texts_[id] = text;
    is_filled_[id] = 1;
  }
  for (size_t i = 0; i < added.size(); ++i) read_added_token(added[i], i, size);
  // As many ids as tokens, none twice and none too large: there is no gap.
}

void HfReader::read_added_token(const json& added, size_t index, size_t size) {
  const std::string& text = added.find("content")->get_ref<const std::string&>();
  const std::string where = fmt::format("added_tokens[{}] ({})", index, quote(text));
  const auto id = static_cast<size_t>(expect_id(require(added, "id", where), size, where + ".id"));
  if (types_[id] != TokenType::kNormal || (is_filled_[id] && texts_[id] != text)) {
    fail("{}: expected an id of its own, {} is {}", where, id, quote(texts_[id]));
  }
  texts_[id] = text;
  is_filled_[id] = 1;
  types_[id] = flag(added, "special", false, where) ? TokenType::kControl : TokenType::kUserDefined;
  added_flags_[id].strip_left = flag(added, "lstrip", false, where);
  added_flags_[id].strip_right = flag(added, "rstrip", false, where);
  added_flags_[id].single_word = flag(added, "single_word", false, where);
  added_flags_[id].normalized = flag(added, "normalized", false, where);
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

void HfReader::read_post_processor(const json& processor) {
  const std::string& type =
      expect_text(require(expect_object(processor, "post_processor"), "type", "post_processor"), "post_processor.type");
  if (type == "ByteLevel") return;  // concerns offsets only
  if (type == "TemplateProcessing") {
    read_template(processor);
    return;
  }
  if (type != "Sequence")
    fail("post_processor.type: expected ByteLevel, TemplateProcessing or Sequence, it is {}", quote(type));
  const json& steps = expect_array(require(processor, "processors", "post_processor"), "post_processor.processors");
  for (const json& step : steps) {
    // One level deep: a sequence inside a sequence has no use, and no depth can exhaust the stack.
    const json* inner = step.is_object() ? find_field(step, "type") : nullptr;
    if (inner != nullptr && *inner == "Sequence")
      fail("post_processor.processors: expected no Sequence in a Sequence, there is one");
    read_post_processor(step);
  }
}

int32_t HfReader::template_token(const json& step) const {
  constexpr std::string_view kWhere = "post_processor.single";
  const std::string& name = expect_text(require(expect_object(step["SpecialToken"], kWhere), "id", kWhere), kWhere);
  const std::optional<int32_t> id = added_token_id(vocabulary_, name);
  if (!id) fail("{}: expected an added token, {} is none", kWhere, quote(name));
  return *id;
}

void HfReader::read_template(const json& processor) {
  constexpr std::string_view kWhere = "post_processor.single";
  const json& single = expect_array(require(processor, "single", "post_processor"), kWhere);
  has_template_ = true;
  const auto holds = [&](size_t step, const char* what) {
    return step < single.size() && single[step].is_object() && single[step].contains(what);
  };
  const size_t before = holds(0, "SpecialToken") ? 1 : 0;
  const size_t after = holds(before + 1, "SpecialToken") ? 1 : 0;
  if (!holds(before, "Sequence") || single.size() != before + 1 + after) {
    fail("{}: expected the text with at most one special token before and after it; there are {} steps", kWhere,
         single.size());
  }
  if (before > 0) {
    vocabulary_.bos_id = template_token(single.front());
    vocabulary_.add_bos = true;
  }
  if (after > 0) {
    vocabulary_.eos_ids = {template_token(single.back())};
    vocabulary_.add_eos = true;
  }
}

}  // namespace

Vocabulary parse_hf_tokenizer(std::string_view tokenizer_json, const HfSideFiles& side_files) {
  const json root = parse_json(tokenizer_json);
  return HfReader(root).read(side_files);
}

Vocabulary read_hf_tokenizer(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  const std::string content = read_file(file);
  const HfSideFiles side_files = read_side_files(file.parent_path());
  return with_context(file.string(), [&] { return parse_hf_tokenizer(content, side_files); });
}

}  // namespace tern
