#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "model/hf_config.h"
#include "model/load.h"
#include "model/save.h"
#include "model/save_tensor.h"
#include "model/stored_model.h"
#include "template/hf_template.h"
#include "tensor/float16.h"
#include "tokenizer/hf_json.h"

namespace tern {
namespace {

void check_real(DType type) {
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kBF16) {
    fail("--type {}: a Hugging Face directory holds f16, bf16 or f32 weights, or packed trits", dtype_info(type).name);
  }
}

std::string_view torch_dtype(DType type) {
  if (type == DType::kF32) return "float32";
  return type == DType::kF16 ? "float16" : "bfloat16";
}

// The files beside the weights, which are written before them, and config.json last: a directory without it is no model
// to any reader.
void write_side_files(const ModelConfig& config, bool packed, DType type, const std::filesystem::path& path,
                      const SaveOptions& options) {
  const Vocabulary* vocabulary = options.vocabulary;
  int bos = -1;
  std::vector<int32_t> eos_ids;
  if (vocabulary != nullptr) {
    bos = vocabulary->bos_id.value_or(-1);
    eos_ids = vocabulary->eos_ids;
    write_hf_tokenizer(*vocabulary, path / kTokenizerFile);
    std::string tokenizer_config = format_hf_tokenizer_config(*vocabulary);
    if (options.chat_template) {
      tokenizer_config = with_hf_chat_template(tokenizer_config, *options.chat_template);
    }
    write_file(path / "tokenizer_config.json", tokenizer_config);
  }
  write_file(path / kGenerationFile, format_hf_generation(options.generation_config, bos, eos_ids));
  if (options.embedding_hints.pooling) {
    make_directories(path / "1_Pooling");
    write_file(path / "1_Pooling/config.json", format_hf_pooling(*options.embedding_hints.pooling, config.dim));
    write_file(path / "modules.json", format_hf_modules());
  }
  write_file(path / "config.json",
             format_hf_config(config, packed, torch_dtype(type), bos, eos_ids.empty() ? -1 : eos_ids[0]));
}

// A training directory is a model already: with these files beside its own it would be two.
void make_model_directory(const std::filesystem::path& path) {
  if (std::filesystem::exists(path / kRunConfigFile)) {
    fail("{}: expected a place for a Hugging Face directory, it is a training directory", path.string());
  }
  make_directories(path);
}

// The one type of all that stays real beside packed trits: bf16 when it holds all of it, else f32. transformers keeps
// each tensor of a packed model as it is stored, and multiplies only what is of one type.
DType real_type(const Model& model, const HfNames& names) {
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (spec.is_linear()) continue;
    if (!spec.is_norm()) {
      if (model.weights.dense(spec).type != DType::kBF16) return DType::kF32;
      continue;
    }
    for (const float gain : model.weights.norm(spec).view()) {
      const float stored = gain - hf_norm_offset(spec, names);
      if (round_to_bfloat16(stored) != stored) return DType::kF32;
    }
  }
  return DType::kBF16;
}

// The numbers of a master matrix as other programs should see them: see save_hf_masters().
void fit_to_scale(const StoredTensor& stored, DType type, Threads& threads, MatView<float> values) {
  const float gamma = linear_gamma(values, threads);
  const float scale = type == DType::kBF16 ? stored_scale(gamma) : master_scale(gamma, *stored.masters);
  threads.for_ranges(values.rows, 1, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      for (float& value : values.row_view(r)) value = master_with_scale(value, gamma, scale);
    }
  });
  if (type == DType::kBF16 && gamma > kMinScale) fit_to_bfloat16(values, scale);
}

OutputTensor stored_master(const StoredModel& source, const TensorSpec& spec, const HfNames& names, DType type,
                           Threads& threads) {
  OutputTensor out;
  out.name = hf_name(spec, names);
  out.type = type;
  out.shape = spec.shape();
  const bool ternary = spec.is_linear() && source.config.weights == WeightKind::kTernary;
  out.produce = [&source, &threads, spec, type, ternary, less = hf_norm_offset(spec, names)](const ByteSink& sink) {
    const StoredTensor stored = source.find(spec);
    Buffer<float> values = read_numbers(spec, stored, source.config.head_dim, threads);
    // What is stored in bf16 is what its programs round to that scale already.
    const bool fits = type == DType::kF32 || (type == DType::kBF16 && stored.tensor.type != DType::kBF16);
    if (ternary && fits) fit_to_scale(stored, type, threads, values.mat(spec.rows, spec.cols));
    std::vector<std::byte> bytes;
    for (size_t r = 0; r < spec.rows; ++r) {
      const VecView<float> row = values.mat(spec.rows, spec.cols).row_view(r);
      for (float& value : row) value -= less;
      bytes.clear();
      append_numbers(row, type, bytes);
      sink(bytes);
    }
  };
  return out;
}

}  // namespace

void save_hf(const Model& model, const std::filesystem::path& path, const SaveOptions& options) {
  const ModelConfig& config = model.config;
  const bool packed = config.weights != WeightKind::kFull;
  if (!packed) check_real(options.type);
  const HfNames names = hf_names_for(config);
  const DType real = packed ? real_type(model, names) : options.type;
  // Before any weights are written, so that a graph without an architecture leaves nothing behind.
  format_hf_config(config, packed, torch_dtype(real), -1, -1);
  std::vector<OutputTensor> tensors;
  for (const TensorSpec& spec : model_tensors(config)) {
    const std::string name = hf_name(spec, names);
    if (spec.is_linear() && packed) {
      const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
      tensors.push_back(stored_packed(matrix, name));
      tensors.push_back(
          stored_scale(matrix.scale, name + "_scale", holds_scale(real, matrix.scale) ? real : DType::kF32));
      continue;
    }
    if (spec.is_norm()) {
      const DType stored = packed ? real : DType::kF32;
      tensors.push_back(stored_norm(model.weights.norm(spec), hf_norm_offset(spec, names), name, stored));
    } else {
      tensors.push_back(stored_rows(model, spec, name, real, false));
    }
  }
  make_model_directory(path);
  write_hf_weights(path, tensors, options.shard_bytes);
  write_side_files(config, packed, real, path, options);
}

void save_hf_masters(const std::filesystem::path& source, const std::filesystem::path& path, const SaveOptions& options,
                     Threads& threads) {
  const DType type = options.type;
  check_real(type);
  const StoredModel stored = open_model(source);
  const ModelConfig& config = stored.config;
  const HfNames names = hf_names_for(config);
  format_hf_config(config, false, torch_dtype(type), -1, -1);
  std::vector<OutputTensor> tensors;
  for (const TensorSpec& spec : model_tensors(config)) {
    with_context(stored.where, [&] { check_stored_shape(spec, stored.find(spec)); });
    // What stays real enters the forward pass in the source's own type, so that is what other programs should see.
    const DType own = spec.is_norm() ? DType::kF32 : spec.is_linear() ? type : stored.dense_type;
    tensors.push_back(stored_master(stored, spec, names, own, threads));
  }
  make_model_directory(path);
  write_hf_weights(path, tensors, options.shard_bytes);
  write_side_files(config, false, type, path, options);
}

Model ternarize_model(const Model& model, Threads& threads) {
  if (model.config.weights != WeightKind::kFull) {
    fail("--ternarize: expected a full-precision model, its weights are {}", weight_kind_name(model.config.weights));
  }
  ModelConfig config = model.config;
  config.weights = WeightKind::kTernary;
  Model ternary = make_model(config, model.weights.token_embedding.type);
  for (const TensorSpec& spec : model_tensors(config)) {
    Buffer<float> values(spec.elements());
    const MatView<float> matrix = values.mat(spec.rows, spec.cols);
    threads.for_ranges(spec.rows, kPanel, [&](size_t begin, size_t end) {
      for (size_t r = begin; r < end; ++r) {
        if (spec.is_norm())
          std::copy_n(model.weights.norm(spec).data(), spec.cols, matrix.row(r));
        else if (spec.is_linear())
          model.weights.linear(spec).dense.get_row(r, matrix.row_view(r));
        else
          model.weights.dense(spec).get_row(r, matrix.row_view(r));
      }
    });
    set_tensor(spec, matrix, threads, ternary);
  }
  return ternary;
}

}  // namespace tern
