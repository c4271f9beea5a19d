// libFuzzer target: any bytes are either a GGUF file, all of whose values and tensors can be read, or a tern::Error.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "formats/gguf_read.h"
#include "quant/dequantize.h"

namespace {

template <class Body>
void ignore_error(Body&& body) {
  try {
    body();
  } catch (const tern::Error&) {}
}

void read_value(const tern::GgufFile& file, std::string_view key) {
  (void)tern::describe(*file.find_value(key));
  ignore_error([&] { (void)file.u32(key); });
  ignore_error([&] { (void)file.i64(key); });
  ignore_error([&] { (void)file.f32(key); });
  ignore_error([&] { (void)file.boolean(key); });
  ignore_error([&] { (void)file.string(key); });
  ignore_error([&] { (void)file.strings(key); });
  ignore_error([&] { (void)file.floats(key); });
  ignore_error([&] { (void)file.integers(key); });
}

void read_tensor(const tern::NamedTensor& tensor, tern::Bytes file) {
  const bool inside = tensor.data.data() >= file.data() && tensor.data.size() <= file.size() &&
                      tensor.data.data() + tensor.data.size() <= file.data() + file.size();
  if (!inside || tensor.data.size() != tern::dtype_bytes(tensor.type, tensor.elements())) std::abort();
  std::vector<float> row(tensor.shape.empty() ? 1 : tensor.shape.back());
  const size_t rows = tensor.elements() / row.size();
  ignore_error([&] { tern::dequantize(tensor, 0, row); });
  ignore_error([&] { tern::dequantize(tensor, rows - 1, row); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tern::Bytes bytes = std::as_bytes(std::span(data, size));
  ignore_error([&] {
    const tern::GgufFile file(bytes, "fuzz.gguf");
    for (const tern::GgufEntry& entry : file.metadata()) read_value(file, entry.key);
    for (const tern::NamedTensor& tensor : file.tensors()) read_tensor(tensor, bytes);
  });
  return 0;
}
