// llama2.c's version-0 checkpoint (karpathy/llama2.c, export.py and run.c): seven int32 (dim, hidden_dim, layers,
// heads, kv_heads, vocab, sequence length; a negative vocab means that the head is not tied), then f32 matrices by
// kind, all layers of a kind together. Rotary pairs are neighbours.
#include <array>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "model/stored_model.h"
#include "tokenizer/llama2c_file.h"

namespace tern {
namespace {

ModelConfig read_config(ByteReader& reader) {
  std::array<int32_t, 7> header;
  for (int32_t& value : header) value = reader.read<int32_t>("llama2.c header");
  const auto positive = [&](size_t i, const char* name) {
    if (header[i] <= 0) fail("llama2.c header: {} is {}, expected a positive number", name, header[i]);
    return static_cast<size_t>(header[i]);
  };
  ModelConfig c;
  c.dim = positive(0, "dim");
  c.ffn = positive(1, "hidden_dim");
  c.layers = positive(2, "n_layers");
  c.heads = positive(3, "n_heads");
  c.kv_heads = positive(4, "n_kv_heads");
  c.tied_head = header[5] > 0;
  if (header[5] == 0 || header[5] == INT32_MIN)
    fail("llama2.c header: vocab_size is {}, expected another number", header[5]);
  c.vocab = static_cast<size_t>(header[5] > 0 ? header[5] : -header[5]);
  c.context = positive(6, "seq_len");
  c.head_dim = c.dim / c.heads;
  c.sub_norms = false;
  c.weights = WeightKind::kFull;
  validate(c);
  return c;
}

// The kinds in the file's order.
constexpr std::array<TensorRole, 11> kOrder = {
    TensorRole::kTokenEmbedding, TensorRole::kAttnNorm,   TensorRole::kAttnQ,     TensorRole::kAttnK,
    TensorRole::kAttnV,          TensorRole::kAttnOutput, TensorRole::kFfnNorm,   TensorRole::kFfnGate,
    TensorRole::kFfnDown,        TensorRole::kFfnUp,      TensorRole::kOutputNorm};

void take_role(TensorRole role, ByteReader& reader, StoredModel& stored) {
  for (const TensorSpec& spec : model_tensors(stored.config)) {
    if (spec.role != role) continue;
    NamedTensor tensor;
    tensor.name = tern_name(spec);
    tensor.shape = spec.shape();
    tensor.data = reader.take(spec.elements() * sizeof(float), tensor.name);
    stored.tensors.push_back(std::move(tensor));
  }
}

void take_tensors(const MappedFile& file, StoredModel& stored) {
  ByteReader reader(file.bytes());
  const ModelConfig config = stored.config = read_config(reader);
  if (parameter_count(config) > file.bytes().size() / sizeof(float)) {
    fail("expected {} parameters of 4 bytes, the file has {} bytes", parameter_count(config), file.bytes().size());
  }
  for (TensorRole role : kOrder) take_role(role, reader, stored);
  // Rotation tables of old versions, (seq_len, head_dim / 2) twice; computed here instead.
  reader.skip(config.context * config.head_dim * sizeof(float), "rotation tables");
  if (!config.tied_head) take_role(TensorRole::kOutput, reader, stored);
  if (reader.remaining() != 0) fail("{} bytes are left after the last tensor, expected none", reader.remaining());
}

std::optional<Vocabulary> vocabulary_beside(const std::filesystem::path& path, size_t vocab) {
  for (const std::string& name : {fmt::format("tok{}.bin", vocab), std::string("tokenizer.bin")}) {
    const std::filesystem::path beside = path.parent_path() / name;
    if (std::filesystem::exists(beside)) return read_llama2c_tokenizer(beside, vocab);
  }
  return std::nullopt;
}

}  // namespace

StoredModel open_llama2c(const std::filesystem::path& path) {
  auto owned = std::make_unique<MappedFile>(path);
  StoredModel stored;
  stored.source = "llama2c";
  stored.name = path.stem().string();
  stored.where = path.string();
  with_context(stored.where, [&] { take_tensors(*owned, stored); });
  stored.read_vocabulary = [path, vocab = stored.config.vocab] { return vocabulary_beside(path, vocab); };
  std::map<std::string, NamedTensor> by_name;
  for (const NamedTensor& tensor : stored.tensors) by_name.emplace(tensor.name, tensor);
  stored.find = [by_name](const TensorSpec& spec) {
    return StoredTensor{by_name.at(tern_name(spec)), std::nullopt, true};
  };
  stored.is_known = [](const NamedTensor&) { return true; };
  stored.files = std::move(owned);
  return stored;
}

}  // namespace tern
