// libFuzzer target: any bytes are either a safetensors file, all of whose tensors can be read, or a tern::Error; the
// same bytes as the text of a shard index and as a token shard.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "formats/hf_dir.h"
#include "formats/safetensors.h"
#include "formats/token_file.h"
#include "quant/dequantize.h"

namespace {

template <class Body>
void ignore_error(Body&& body) {
  try {
    body();
  } catch (const tern::Error&) {}
}

void read_tensor(const tern::NamedTensor& tensor, tern::Bytes file) {
  const bool inside = tensor.data.data() >= file.data() && tensor.data.size() <= file.size() &&
                      tensor.data.data() + tensor.data.size() <= file.data() + file.size();
  if (!inside || tensor.data.size() != tern::dtype_bytes(tensor.type, tensor.elements())) std::abort();
  if (tensor.data.empty()) return;
  std::vector<float> row(tensor.shape.empty() ? 1 : tensor.shape.back());
  ignore_error([&] { tern::dequantize(tensor, tensor.elements() / row.size() - 1, row); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tern::Bytes bytes = std::as_bytes(std::span(data, size));
  ignore_error([&] {
    const tern::SafetensorsFile file(bytes, "fuzz.safetensors");
    for (const tern::NamedTensor& tensor : file.tensors()) read_tensor(tensor, bytes);
  });
  ignore_error([&] { (void)tern::parse_shard_index({reinterpret_cast<const char*>(data), size}); });
  ignore_error([&] { const tern::TokenFile file(bytes, "fuzz.tok", {}, tern::TokenFile::Check::kOnUse); });
  return 0;
}
