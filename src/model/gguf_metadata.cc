#include "model/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "tokenizer/pretokenize.h"

namespace tern {
namespace {

constexpr const char* kWeightsKey = "tern.weights";
constexpr const char* kSplitKey = "tern.tokenizer.split";  // split rules that no tokenizer.ggml.pre names
constexpr const char* kPreSplitsKey = "tern.tokenizer.pre_splits";
constexpr const char* kByteSplitsKey = "tern.tokenizer.byte_splits";
constexpr const char* kPrefixKey = "tern.tokenizer.space_prefix";
constexpr const char* kFuseKey = "tern.tokenizer.fuse_unk";
constexpr const char* kNfcKey = "tern.tokenizer.nfc";
constexpr const char* kAddEosKey = "tokenizer.ggml.add_eos_token";
constexpr const char* kFlagsKey = "tern.tokenizer.token_flags";  // of added tokens, as tokenizer.json has them

struct Pre {
  const char* name;  // tokenizer.ggml.pre
  SplitRule split;
  bool ignore_merges;
  const char* regex;  // of SplitRule::kRegex
  bool nfc = false;   // what it was trained on is in Unicode's normalization form C, as its tokenizer.json says
  std::string_view pre_split = {};  // the one of Vocabulary::pre_splits, if any
  const char* byte_split = "";      // and of byte_splits; a rule with these is read, but never written by its name
};

constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The first of a rule is the one written. "falcon_e" is bitnet.cpp's for the Falcon-E files; today's engines do not
// know it. llama.cpp gives "llama-bpe" and its kin ignore_merges, and does not normalize.
constexpr std::array<Pre, 9> kPres{{{"gpt-2", SplitRule::kGpt2, false, ""},
                                    {"llama-bpe", SplitRule::kLlama3, true, ""},
                                    {"llama3", SplitRule::kLlama3, true, ""},
                                    {"llama-v3", SplitRule::kLlama3, true, ""},
                                    {"falcon3", SplitRule::kLlama3, true, ""},
                                    {"gpt2", SplitRule::kGpt2, false, ""},
                                    {"default", SplitRule::kGpt2, false, ""},
                                    {"qwen2", SplitRule::kRegex, false, kQwen2Regex, true},
                                    {"falcon_e", SplitRule::kGpt2, false, "", false, kPunctuationPattern, "[0-9]"}}};

bool has_trits(const GgufFile& file) {
  return std::any_of(file.tensors().begin(), file.tensors().end(),
                     [](const NamedTensor& t) { return is_ternary(t.type); });
}

WeightKind read_weight_kind(const GgufFile& file, bool sub_norms) {
  if (const auto named = file.optional_string(kWeightsKey)) {
    return with_context(file.name(), [&] { return parse_weight_kind(*named); });
  }
  // Files of others: every BitNet architecture is ternary, and so are layers with norms inside; others are when their
  // weights are stored as trits.
  if (has_trits(file) || sub_norms) return WeightKind::kTernary;
  return WeightKind::kFull;
}

int32_t token_id(const GgufFile& file, const char* key, size_t vocab) {
  const int64_t id = file.i64(key);
  if (id < 0 || static_cast<size_t>(id) >= vocab)
    fail("{}: {} is {}, expected 0 to {}", file.name(), key, id, vocab - 1);
  return static_cast<int32_t>(id);
}

std::vector<TokenType> token_types(const GgufFile& file, size_t count) {
  std::vector<TokenType> types(count, TokenType::kNormal);
  const auto numbers = file.optional_integers("tokenizer.ggml.token_type");
  if (!numbers) return types;
  if (numbers->size() != count) {
    fail("{}: tokenizer.ggml.token_type: expected {} items like tokenizer.ggml.tokens, it has {}", file.name(), count,
         numbers->size());
  }
  for (size_t i = 0; i < count; ++i) {
    const int64_t number = (*numbers)[i];
    if (number < 1 || number > 6)
      fail("{}: tokenizer.ggml.token_type[{}] is {}, expected 1 to 6", file.name(), i, number);
    types[i] = static_cast<TokenType>(number);
  }
  return types;
}

void read_split(const GgufFile& file, Vocabulary& vocabulary) {
  if (const auto rule = file.optional_string(kSplitKey)) {
    vocabulary.split = with_context(file.name(), [&] { return parse_split_rule(*rule); });
    vocabulary.ignore_merges = file.optional_boolean("tern.tokenizer.ignore_merges").value_or(false);
    vocabulary.split_regex = file.optional_string("tern.tokenizer.split_regex").value_or("");
    vocabulary.pre_splits = file.optional_strings(kPreSplitsKey).value_or(std::vector<std::string>{});
    vocabulary.byte_splits = file.optional_strings(kByteSplitsKey).value_or(std::vector<std::string>{});
    return;
  }
  // The published 2B4T file has no "pre" at all; its vocabulary is Llama 3's.
  const std::string pre = file.optional_string("tokenizer.ggml.pre").value_or("llama-bpe");
  for (const Pre& known : kPres) {
    if (pre != known.name) continue;
    vocabulary.split = known.split;
    vocabulary.ignore_merges = known.ignore_merges;
    vocabulary.split_regex = known.regex;
    vocabulary.nfc = known.nfc;
    if (!known.pre_split.empty()) vocabulary.pre_splits.emplace_back(known.pre_split);
    if (*known.byte_split != '\0') vocabulary.byte_splits.emplace_back(known.byte_split);
    return;
  }
  fail("{}: tokenizer.ggml.pre is {}, expected gpt-2, llama-bpe, qwen2 or a relative of theirs", file.name(),
       quote(pre));
}

void read_prefix(const GgufFile& file, Vocabulary& vocabulary) {
  const auto prefix = file.optional_string(kPrefixKey);
  if (prefix) vocabulary.space_prefix = with_context(file.name(), [&] { return parse_space_prefix(*prefix); });
  vocabulary.fuse_unk = file.optional_boolean(kFuseKey).value_or(false);
  vocabulary.nfc = file.optional_boolean(kNfcKey).value_or(vocabulary.nfc);
}

constexpr std::array<bool Token::*, 4> kTokenFlags{&Token::strip_left, &Token::strip_right, &Token::single_word,
                                                   &Token::normalized};

void read_token_flags(const GgufFile& file, Vocabulary& vocabulary) {
  const auto flags = file.optional_integers(kFlagsKey);
  if (!flags) return;
  if (flags->size() != vocabulary.tokens.size()) {
    fail("{}: {}: expected {} items like tokenizer.ggml.tokens, it has {}", file.name(), kFlagsKey,
         vocabulary.tokens.size(), flags->size());
  }
  for (size_t id = 0; id < flags->size(); ++id) {
    const int64_t bits = (*flags)[id];
    if (bits < 0 || bits >> kTokenFlags.size() != 0)
      fail("{}: {}[{}] is {}, expected 0 to 15", file.name(), kFlagsKey, id, bits);
    for (size_t bit = 0; bit < kTokenFlags.size(); ++bit) vocabulary.tokens[id].*kTokenFlags[bit] = bits >> bit & 1;
  }
}

void write_token_flags(const Vocabulary& vocabulary, GgufWriter& writer) {
  std::vector<int32_t> flags;
  for (const Token& token : vocabulary.tokens) {
    flags.push_back(0);
    for (size_t bit = 0; bit < kTokenFlags.size(); ++bit) flags.back() |= (token.*kTokenFlags[bit] ? 1 : 0) << bit;
  }
  const bool has_any = std::any_of(flags.begin(), flags.end(), [](int32_t bits) { return bits != 0; });
  if (has_any) writer.add_i32s(kFlagsKey, flags);
}

void read_special_ids(const GgufFile& file, Vocabulary& vocabulary) {
  const size_t vocab = vocabulary.tokens.size();
  if (file.has("tokenizer.ggml.bos_token_id")) vocabulary.bos_id = token_id(file, "tokenizer.ggml.bos_token_id", vocab);
  if (file.has("tokenizer.ggml.unknown_token_id")) {
    vocabulary.unk_id = token_id(file, "tokenizer.ggml.unknown_token_id", vocab);
  }
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (!file.has(key)) continue;
    const int32_t id = token_id(file, key, vocab);
    if (std::find(vocabulary.eos_ids.begin(), vocabulary.eos_ids.end(), id) == vocabulary.eos_ids.end()) {
      vocabulary.eos_ids.push_back(id);
    }
  }
}

}  // namespace

GgufArchitecture gguf_architecture(const std::string& name) {
  if (name == "llama") return {name, Activation::kSilu, false, true};
  if (name == "bitnet") return {name, Activation::kSilu, true, false, false, false, true};
  if (name == "bitnet-b1.58" || name == "bitnet-25") return {name, Activation::kRelu2, true, false};
  if (name == "qwen3") return {name, Activation::kSilu, false, false, true, false};
  if (name == "gemma3") return {name, Activation::kGelu, false, false, true, true};
  fail("general.architecture is {}, expected llama, bitnet, bitnet-b1.58, bitnet-25, qwen3 or gemma3", quote(name));
}

std::optional<GgufArchitecture> find_gguf_architecture(const ModelConfig& c) {
  for (const char* name : {"bitnet", "bitnet-b1.58", "llama", "qwen3", "gemma3"}) {
    GgufArchitecture a = gguf_architecture(name);
    const bool norms_fit = a.qk_norms ? c.sub_norms == c.input_norms : c.sub_norms == a.sub_norms && !c.input_norms;
    const bool gemma_fits = c.post_norms == a.gemma && c.scaled_embedding == a.gemma && (a.gemma || c.window == 0);
    if (c.activation == a.activation && c.qk_norms == a.qk_norms && norms_fit && gemma_fits) return a;
  }
  return std::nullopt;
}

GgufArchitecture gguf_architecture_for(const ModelConfig& c) {
  if (auto found = find_gguf_architecture(c)) return *found;
  if (c.activation == Activation::kRelu2 && !c.sub_norms) {
    fail("GGUF has no architecture with ReLU^2 and without sub-norms; write a Hugging Face directory instead");
  }
  fail("GGUF has no architecture with this graph: {}", config_to_json(c));
}

namespace {

constexpr const char* kActivationKey = "hidden_activation";  // "silu" or "relu2"; gelu is Gemma's alone

Activation read_activation(const GgufFile& file, const GgufArchitecture& architecture) {
  const std::string key = architecture.name + "." + kActivationKey;
  const auto named = file.optional_string(key);
  if (!named || *named == activation_name(architecture.activation)) return architecture.activation;
  if (!architecture.names_activation) {
    fail("{}: {} is {}, the architecture has {}", file.name(), key, quote(*named),
         activation_name(architecture.activation));
  }
  if (*named != activation_name(Activation::kRelu2)) {
    fail("{}: {} is {}, expected silu or relu2", file.name(), key, quote(*named));
  }
  return Activation::kRelu2;
}

// A factor without its kind of scaling means linear scaling, of which 1 is none (and 0, to llama.cpp).
void refuse_rope_factor(const GgufFile& file, const std::string& prefix) {
  for (const char* key : {"rope.scaling.factor", "rope.scale_linear"}) {
    const float factor = file.optional_f32(prefix + key).value_or(1.0f);
    if (factor != 1.0f && factor != 0.0f) {
      fail("{}: {}{} is {}: scaled rotary positions are not supported", file.name(), prefix, key, factor);
    }
  }
}

// What the graph has no place for, so that it is refused and not left out.
void refuse_details(const GgufFile& file, const std::string& prefix, size_t head_dim) {
  const auto scaling = file.optional_string(prefix + "rope.scaling.type");
  if (scaling && *scaling != "none" && !scaling->empty()) {
    fail("{}: {}rope.scaling.type is {}, which is not supported", file.name(), prefix, quote(*scaling));
  }
  if (!scaling || scaling->empty()) refuse_rope_factor(file, prefix);
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (file.optional_f32(prefix + key).value_or(0.0f) != 0.0f) {
      fail("{}: {}{} is not supported", file.name(), prefix, key);
    }
  }
  if (!file.optional_boolean(prefix + "attention.causal").value_or(true)) {
    fail("{}: {}attention.causal is false: attention to later tokens is not supported", file.name(), prefix);
  }
  const uint32_t divisor =
      file.optional_u32(prefix + "attention.query_pre_attn_scalar").value_or(static_cast<uint32_t>(head_dim));
  if (divisor != head_dim) {
    fail("{}: {}attention.query_pre_attn_scalar is {}, expected the head size {}", file.name(), prefix, divisor,
         head_dim);
  }
}

// Windowed layers as Gemma 3 has them: without the key there are none; its other two keys have llama.cpp's defaults.
void read_windows(const GgufFile& file, const std::string& prefix, const GgufArchitecture& architecture,
                  ModelConfig& c) {
  constexpr uint32_t kGemmaPattern = 6;
  const std::string key = prefix + "attention.sliding_window";
  const uint32_t window = file.optional_u32(key).value_or(0);
  if (window == 0) return;
  if (!architecture.gemma) {
    if (window < c.context) fail("{}: {} is {}, which is not supported", file.name(), key, window);
    return;
  }
  c.window = window;
  c.window_pattern = file.optional_u32(key + "_pattern").value_or(kGemmaPattern);
  c.window_theta = static_cast<double>(file.optional_f32(prefix + "rope.freq_base_swa").value_or(10000.0f));
}

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file) {
  const std::string name = file.string("general.architecture");
  const GgufArchitecture architecture = with_context(file.name(), [&] { return gguf_architecture(name); });
  const std::string prefix = architecture.name + ".";
  const auto key = [&](const char* suffix) { return prefix + suffix; };
  ModelConfig c;
  const NamedTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    fail("{}: expected a matrix token_embd.weight, there is none", file.name());
  c.vocab = embedding->shape[0];
  c.dim = file.u32(key("embedding_length"));
  c.layers = file.u32(key("block_count"));
  c.heads = file.u32(key("attention.head_count"));
  c.kv_heads = file.optional_u32(key("attention.head_count_kv")).value_or(static_cast<uint32_t>(c.heads));
  if (c.heads == 0) fail("{}: {} is 0", file.name(), key("attention.head_count"));
  c.head_dim = file.optional_u32(key("attention.key_length")).value_or(static_cast<uint32_t>(c.dim / c.heads));
  c.ffn = file.u32(key("feed_forward_length"));
  c.context = file.u32(key("context_length"));
  c.rope_theta = static_cast<double>(file.optional_f32(key("rope.freq_base")).value_or(10000.0f));
  c.norm_eps = file.f32(key("attention.layer_norm_rms_epsilon"));
  c.activation = read_activation(file, architecture);
  c.qk_norms = architecture.qk_norms;
  c.post_norms = c.scaled_embedding = architecture.gemma;
  c.input_norms = architecture.qk_norms && file.find("blk.0.attn_q_norm_in.weight") != nullptr;
  c.sub_norms = architecture.sub_norms || c.input_norms;
  c.tied_head = file.find("output.weight") == nullptr;
  c.weights = read_weight_kind(file, c.sub_norms);
  read_windows(file, prefix, architecture, c);
  refuse_details(file, prefix, c.head_dim);
  const uint32_t rotated = file.optional_u32(key("rope.dimension_count")).value_or(static_cast<uint32_t>(c.head_dim));
  if (rotated != c.head_dim)
    fail("{}: {} is {}, expected the head size {}", file.name(), key("rope.dimension_count"), rotated, c.head_dim);
  with_context(file.name(), [&] { validate(c); });
  return c;
}

namespace {

// Their numbers in "pooling_type" (llama.cpp's llama_pooling_type); 0 is none.
constexpr std::array<std::pair<uint32_t, Pooling>, 3> kPoolings{
    {{1, Pooling::kMean}, {2, Pooling::kFirst}, {3, Pooling::kLast}}};

}  // namespace

EmbeddingHints read_gguf_embedding(const GgufFile& file) {
  const std::string key = file.string("general.architecture") + ".pooling_type";
  EmbeddingHints hints;
  const uint32_t number = file.optional_u32(key).value_or(0);
  for (const auto& [known, pooling] : kPoolings) {
    if (known == number) hints.pooling = pooling;
  }
  if (number != 0 && !hints.pooling) fail("{}: {} is {}, expected 0 to 3", file.name(), key, number);
  return hints;
}

void write_gguf_embedding(const ModelConfig& config, const EmbeddingHints& hints, GgufWriter& writer) {
  for (const auto& [number, pooling] : kPoolings) {
    if (hints.pooling == pooling) writer.add_u32(gguf_architecture_for(config).name + ".pooling_type", number);
  }
}

std::optional<Vocabulary> read_gguf_vocabulary(const GgufFile& file) {
  if (!file.has("tokenizer.ggml.model")) return std::nullopt;
  const std::string model = file.string("tokenizer.ggml.model");
  const std::vector<std::string> texts = file.strings("tokenizer.ggml.tokens");
  const std::vector<TokenType> types = token_types(file, texts.size());
  Vocabulary vocabulary;
  if (model == "gpt2") {
    vocabulary.algorithm = TokenAlgorithm::kByteBpe;
    read_split(file, vocabulary);
    const auto merges = file.optional_strings("tokenizer.ggml.merges").value_or(std::vector<std::string>{});
    with_context(file.name(), [&] { set_byte_bpe(texts, types, merges, vocabulary); });
  } else if (model == "llama") {
    const bool has_prefix = file.optional_boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    vocabulary.space_prefix = has_prefix ? SpacePrefix::kEach : SpacePrefix::kNone;
    const std::vector<float> scores = file.floats("tokenizer.ggml.scores");
    if (scores.size() != texts.size()) {
      fail("{}: tokenizer.ggml.scores: expected {} items like tokenizer.ggml.tokens, it has {}", file.name(),
           texts.size(), scores.size());
    }
    // A vocabulary that is merged by a list has scores for other programs and the list for tern.
    const bool has_merges = file.has(kSplitKey);
    if (has_merges) read_split(file, vocabulary);
    const auto merges = has_merges ? file.strings("tokenizer.ggml.merges") : std::vector<std::string>{};
    with_context(file.name(), [&] {
      has_merges ? set_char_bpe(texts, types, merges, vocabulary) : set_spm(texts, types, scores, vocabulary);
    });
  } else {
    fail("{}: tokenizer.ggml.model is {}, expected gpt2 or llama", file.name(), quote(model));
  }
  read_prefix(file, vocabulary);
  read_token_flags(file, vocabulary);
  read_special_ids(file, vocabulary);
  // llama.cpp's defaults: an SPM text begins with BOS, as does one of the Llama 3 family.
  const bool default_bos = vocabulary.algorithm != TokenAlgorithm::kByteBpe || vocabulary.split == SplitRule::kLlama3;
  vocabulary.add_bos =
      file.optional_boolean("tokenizer.ggml.add_bos_token").value_or(default_bos && vocabulary.bos_id.has_value());
  vocabulary.add_eos = file.optional_boolean(kAddEosKey).value_or(false) && !vocabulary.eos_ids.empty();
  return vocabulary;
}

void write_gguf_config(const ModelConfig& c, const std::string& name, GgufWriter& writer) {
  const GgufArchitecture architecture = gguf_architecture_for(c);
  const auto add = [&](const char* suffix, size_t value) {
    writer.add_u32(architecture.name + "." + suffix, static_cast<uint32_t>(value));
  };
  writer.add_string("general.architecture", architecture.name);
  writer.add_string("general.name", name);
  writer.add_u32("general.quantization_version", 2);
  add("vocab_size", c.vocab);
  add("context_length", c.context);
  add("embedding_length", c.dim);
  add("block_count", c.layers);
  add("feed_forward_length", c.ffn);
  add("rope.dimension_count", c.head_dim);
  add("attention.head_count", c.heads);
  add("attention.head_count_kv", c.kv_heads);
  if (c.head_dim * c.heads != c.dim) {
    add("attention.key_length", c.head_dim);
    add("attention.value_length", c.head_dim);
  }
  if (architecture.names_activation) {
    writer.add_string(architecture.name + "." + kActivationKey, activation_name(c.activation));
  }
  writer.add_f32(architecture.name + ".rope.freq_base", static_cast<float>(c.rope_theta));
  writer.add_f32(architecture.name + ".attention.layer_norm_rms_epsilon", c.norm_eps);
  if (c.window > 0) {
    add("attention.sliding_window", c.window);
    add("attention.sliding_window_pattern", c.window_pattern);
    writer.add_f32(architecture.name + ".rope.freq_base_swa", static_cast<float>(c.window_theta));
  }
  writer.add_string(kWeightsKey, weight_kind_name(c.weights));
}

namespace {

void write_split(const Vocabulary& vocabulary, GgufWriter& writer) {
  writer.add_string(kSplitKey, split_rule_name(vocabulary.split));
  writer.add_string("tern.tokenizer.split_regex", vocabulary.split_regex);
  writer.add_bool("tern.tokenizer.ignore_merges", vocabulary.ignore_merges);
  if (!vocabulary.pre_splits.empty()) writer.add_strings(kPreSplitsKey, vocabulary.pre_splits);
  if (!vocabulary.byte_splits.empty()) writer.add_strings(kByteSplitsKey, vocabulary.byte_splits);
}

// What stands for a list of merges in programs that know scores only: the earlier a token is made, the higher.
std::vector<float> token_scores(const Vocabulary& vocabulary) {
  std::vector<float> scores;
  for (const Token& token : vocabulary.tokens) scores.push_back(token.score);
  for (size_t rank = vocabulary.merges.size(); rank-- > 0;) {
    scores[static_cast<size_t>(vocabulary.merges[rank].result)] = -static_cast<float>(rank);
  }
  return scores;
}

}  // namespace

void write_gguf_vocabulary(const Vocabulary& vocabulary, GgufWriter& writer) {
  const bool bpe = vocabulary.algorithm == TokenAlgorithm::kByteBpe;
  bool is_nfc_by_default = false;
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    texts.push_back(token_text(vocabulary, static_cast<int32_t>(id)));
    types.push_back(static_cast<int32_t>(vocabulary.tokens[id].type));
  }
  writer.add_string("tokenizer.ggml.model", bpe ? "gpt2" : "llama");
  if (bpe) {
    const auto* pre = std::find_if(kPres.begin(), kPres.end(), [&](const Pre& p) {
      return p.split == vocabulary.split && p.ignore_merges == vocabulary.ignore_merges &&
             p.regex == vocabulary.split_regex && vocabulary.pre_splits.empty() && vocabulary.byte_splits.empty();
    });
    // Other engines split a vocabulary without a known rule as GPT-2; tern keeps the exact rule in its own keys.
    writer.add_string("tokenizer.ggml.pre", pre != kPres.end() ? pre->name : "gpt-2");
    if (pre == kPres.end()) write_split(vocabulary, writer);
    is_nfc_by_default = pre != kPres.end() && pre->nfc;
  }
  if (vocabulary.algorithm == TokenAlgorithm::kCharBpe) write_split(vocabulary, writer);
  const SpacePrefix prefix = vocabulary.space_prefix;
  if (prefix != SpacePrefix::kNone && (bpe || prefix != SpacePrefix::kEach)) {
    writer.add_string(kPrefixKey, space_prefix_name(prefix));
  }
  if (vocabulary.fuse_unk) writer.add_bool(kFuseKey, true);
  if (vocabulary.nfc != is_nfc_by_default) writer.add_bool(kNfcKey, vocabulary.nfc);
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_i32s("tokenizer.ggml.token_type", types);
  write_token_flags(vocabulary, writer);
  if (vocabulary.algorithm != TokenAlgorithm::kSpm) {
    writer.add_strings("tokenizer.ggml.merges", merge_texts(vocabulary));
  }
  if (!bpe) {
    writer.add_floats("tokenizer.ggml.scores", token_scores(vocabulary));
    writer.add_bool("tokenizer.ggml.add_space_prefix", prefix != SpacePrefix::kNone);
  }
  if (vocabulary.bos_id) writer.add_u32("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(*vocabulary.bos_id));
  if (!vocabulary.eos_ids.empty()) {
    writer.add_u32("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(vocabulary.eos_ids[0]));
  }
  if (vocabulary.eos_ids.size() > 1) {
    writer.add_u32("tokenizer.ggml.eot_token_id", static_cast<uint32_t>(vocabulary.eos_ids[1]));
  }
  if (vocabulary.unk_id) writer.add_u32("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(*vocabulary.unk_id));
  writer.add_bool("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  if (vocabulary.add_eos) writer.add_bool(kAddEosKey, true);
}

}  // namespace tern
