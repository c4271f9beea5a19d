#include "model/shapes.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr std::string_view kPaper = "arXiv 2402.17764, \"Training Tips, Code and FAQ\"";
constexpr std::string_view kCpuPaper = "arXiv 2410.16144, appendix A";
constexpr std::string_view kCpuScript = "microsoft/BitNet, utils/generate-dummy-bitnet-model.py";

// A model with as many key-value heads as heads.
NamedShape shape(std::string_view name, std::string_view source, size_t dim, size_t ffn, size_t layers, size_t heads) {
  ModelConfig c;
  c.vocab = 32000;
  c.dim = dim;
  c.layers = layers;
  c.heads = heads;
  c.kv_heads = heads;
  c.head_dim = dim / heads;
  c.ffn = ffn;
  c.context = 2048;
  return {name, source, c};
}

NamedShape tiny() {
  NamedShape s = shape("tiny", "for tests", 256, 688, 2, 4);
  s.config.vocab = 512;
  s.config.kv_heads = 2;
  s.config.context = 1024;
  return s;
}

NamedShape b2b4t() {
  NamedShape s = shape("2b4t", "arXiv 2504.12285", 2560, 6912, 30, 20);
  s.config.vocab = 128256;
  s.config.kv_heads = 5;
  s.config.context = 4096;
  s.config.rope_theta = 500000;
  s.config.activation = Activation::kRelu2;
  return s;
}

}  // namespace

const std::vector<NamedShape>& named_shapes() {
  static const std::vector<NamedShape> shapes = {
      tiny(),
      shape("125m", kCpuScript, 768, 3072, 11, 12),
      shape("350m", kCpuScript, 1024, 3072, 24, 16),
      shape("700m", "1bitLLM/bitnet_b1_58-large", 1536, 4096, 24, 16),
      shape("1b", kCpuScript, 2048, 3584, 24, 32),
      shape("1.3b", kPaper, 2048, 5460, 24, 32),
      shape("1.5b", kCpuScript, 1536, 9216, 28, 32),
      b2b4t(),
      shape("2.5b", kCpuScript, 3072, 7680, 24, 32),  // 2.7B there, 2.5B in the table of its speed
      shape("3b", kPaper, 3200, 8640, 26, 32),
      shape("3.8b", kCpuScript, 3840, 8192, 24, 32),
      shape("3.9b", kPaper, 3200, 12800, 26, 32),
      shape("7b", kCpuPaper, 4096, 12032, 32, 32),
      shape("13b", kCpuPaper, 5120, 13824, 40, 40),
      shape("30b", kCpuPaper, 6656, 16384, 60, 52),
      shape("70b", kCpuPaper, 8192, 24576, 80, 64),
      shape("100b", kCpuPaper, 8192, 45568, 72, 64),
  };
  return shapes;
}

const ModelConfig& find_shape(std::string_view name) {
  std::vector<std::string_view> names;
  for (const NamedShape& s : named_shapes()) {
    if (s.name == name) return s.config;
    names.push_back(s.name);
  }
  fail("unknown shape {}, expected {}", quote(name), fmt::join(names, ", "));
}

ModelConfig find_shape(std::string_view name, WeightKind weights) {
  ModelConfig config = find_shape(name);
  config.weights = weights;
  return config;
}

}  // namespace tern
