// What the tests of Hugging Face directories share: the golden directories, changed copies of them, and logits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "formats/safetensors.h"
#include "formats/support.h"
#include "infer/decoder.h"
#include "model/load.h"
#include "support/paths.h"

namespace tern::test {

inline std::filesystem::path golden_directory(const std::string& family) {
  return source_path("tests/golden/hf") / family;
}

// A copy of a golden directory, to be damaged.
inline std::filesystem::path copy_golden(const std::string& family, const TemporaryDirectory& directory) {
  const std::filesystem::path copy = directory / family;
  std::filesystem::copy(golden_directory(family), copy);
  return copy;
}

inline void replace_in(const std::filesystem::path& path, const std::string& from, const std::string& to) {
  std::string text = read_file(path);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << path << " does not hold " << from;
  write_file(path, text.replace(at, from.size(), to));
}

// A tensor of a file with its bytes, free to change.
struct LooseTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<size_t> shape;
  std::vector<std::byte> data;
};

// Rewrites a safetensors file with its tensors changed.
inline void change_tensors(const std::filesystem::path& path,
                           const std::function<void(std::vector<LooseTensor>&)>& change) {
  std::vector<LooseTensor> tensors;
  {
    const SafetensorsFile file(path);
    for (const NamedTensor& t : file.tensors()) {
      tensors.push_back({t.name, t.type, t.shape, {t.data.begin(), t.data.end()}});
    }
  }
  change(tensors);
  std::vector<OutputTensor> out;
  for (const LooseTensor& t : tensors) out.push_back(output_tensor({t.name, t.type, t.shape, t.data}));
  write_safetensors(path, out, {});
}

inline LooseTensor& tensor_named(std::vector<LooseTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const LooseTensor& t) { return t.name == name; });
  if (found == tensors.end()) fail("no tensor {} in the fixture", name);
  return *found;
}

// All logits of a model after each of the tokens, exactly as `tern eval` computes them.
inline std::vector<float> logits_of(const Model& model, std::span<const int32_t> tokens, Threads& threads) {
  Decoder decoder(model, 1, tokens.size(), tokens.size(), threads);
  Batch batch;
  batch.add(0, 0, tokens);
  batch.want_all_logits();
  const MatView<const float> logits = decoder.decode(batch);
  std::vector<float> values;
  for (size_t r = 0; r < logits.rows; ++r) values.insert(values.end(), logits.row(r), logits.row(r) + logits.cols);
  return values;
}

}  // namespace tern::test
