// llama2.c's version-0 checkpoint (karpathy/llama2.c, export.py and run.c): seven int32 (dim, hidden_dim, layers,
// heads, kv_heads, vocab, sequence length; a negative vocab means that the head is not tied), then f32 matrices by
// kind, all layers of a kind together. Rotary pairs are neighbours.
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "model/load.h"
#include "model/load_tensor.h"
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

void load_role(TensorRole role, ByteReader& reader, Threads& threads, Model& model) {
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (spec.role != role) continue;
    NamedTensor tensor;
    tensor.name = tern_name(spec);
    tensor.shape = spec.is_norm() ? std::vector<size_t>{spec.cols} : std::vector<size_t>{spec.rows, spec.cols};
    tensor.data = reader.take(spec.elements() * sizeof(float), tensor.name);
    load_tensor(spec, {tensor, std::nullopt, true}, threads, model);
  }
}

}  // namespace

LoadedModel load_llama2c(const std::filesystem::path& path, const ChooseForm& choose_form, Threads& threads) {
  const MappedFile file(path);
  LoadedModel loaded;
  loaded.source = "llama2c";
  loaded.name = path.stem().string();
  with_context(path.string(), [&] {
    ByteReader reader(file.bytes());
    const ModelConfig config = read_config(reader);
    if (parameter_count(config) > file.bytes().size() / sizeof(float)) {
      fail("expected {} parameters of 4 bytes, the file has {} bytes", parameter_count(config), file.bytes().size());
    }
    loaded.model = make_model(config, DType::kF32);
    for (TensorRole role : kOrder) load_role(role, reader, threads, loaded.model);
    // Rotation tables of old versions, (seq_len, head_dim / 2) twice; computed here instead.
    reader.skip(config.context * config.head_dim * sizeof(float), "rotation tables");
    if (!config.tied_head) load_role(TensorRole::kOutput, reader, threads, loaded.model);
    if (reader.remaining() != 0) fail("{} bytes are left after the last tensor, expected none", reader.remaining());
    const ModelForm form = choose_form(config);
    set_ternary_layout(form.layout, threads, loaded.model);
    set_head(form.head, threads, loaded.model);
  });
  for (const std::string& name : {fmt::format("tok{}.bin", loaded.model.config.vocab), std::string("tokenizer.bin")}) {
    const std::filesystem::path beside = path.parent_path() / name;
    if (!std::filesystem::exists(beside)) continue;
    loaded.vocabulary = read_llama2c_tokenizer(beside, loaded.model.config.vocab);
    break;
  }
  return loaded;
}

}  // namespace tern
