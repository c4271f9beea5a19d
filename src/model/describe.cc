#include "model/describe.h"

#include <fmt/core.h>

#include "model/gguf_metadata.h"
#include "model/load.h"
#include "model/stored_model.h"
#include "template/named_templates.h"

namespace tern {
namespace {

double zero_share(const Model& model) {
  size_t zeros = 0;
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (!spec.is_linear()) continue;
    const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
    std::vector<int8_t> trits(matrix.cols);
    for (size_t r = 0; r < matrix.rows; ++r) {
      matrix.get_row(r, trits);
      for (int8_t trit : trits) zeros += trit == 0;
    }
    count += spec.elements();
  }
  return static_cast<double>(zeros) / static_cast<double>(count);
}

std::string architecture_name(const ModelConfig& config) {
  if (const auto found = find_gguf_architecture(config)) return found->name;
  std::string name = "llama";
  const auto add = [&](bool present, std::string_view what) {
    if (present) name += fmt::format("{}{}", name == "llama" ? " with " : ", ", what);
  };
  add(config.activation != Activation::kSilu, activation_name(config.activation));
  add(config.sub_norms, "sub_norms");
  add(config.input_norms, "input_norms");
  add(config.qk_norms, "qk_norms");
  add(config.post_norms, "post_norms");
  add(config.scaled_embedding, "scaled_embedding");
  add(config.window > 0, "window");
  return name;
}

double share(size_t part, size_t all) { return static_cast<double>(part) / static_cast<double>(all); }

}  // namespace

ModelDescription describe_model(const std::filesystem::path& path, Threads& threads) {
  const StoredModel stored = open_model(path);
  ModelDescription d;
  d.source = stored.source;
  d.name = stored.name;
  d.config = stored.config;
  d.architecture = architecture_name(d.config);
  d.vocabulary = stored.read_vocabulary();
  d.embedding = stored.embedding;
  if (const auto source = stored.read_chat_template()) d.chat_template = name_of_template(*source);
  const Model model = load_stored(stored, plain_form, threads);
  const bool ternary = d.config.weights != WeightKind::kFull;
  d.parameters = parameter_count(d.config);
  d.linear_parameters = linear_parameter_count(d.config);
  d.weights = weight_bytes(model);
  d.bits_per_weight = 8 * share(d.weights.linear, d.linear_parameters);
  if (ternary) {
    d.ternary_share = share(d.linear_parameters, d.parameters);
    d.zero_share = zero_share(model);
  }
  size_t bytes = 0;
  for (const TensorSpec& spec : model_tensors(d.config)) bytes += stored.find(spec).tensor.data.size();
  d.stored_bits_per_weight = 8 * share(bytes, d.parameters);
  for (const NamedTensor& tensor : stored.tensors) ++d.tensor_types[std::string(dtype_info(tensor.type).name)];
  return d;
}

}  // namespace tern
