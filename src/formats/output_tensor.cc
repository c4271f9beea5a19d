#include "formats/output_tensor.h"

#include "base/error.h"
#include "base/text.h"

namespace tern {

size_t OutputTensor::byte_size() const {
  const DTypeInfo& info = dtype_info(type);
  const size_t row = shape.empty() ? 1 : shape.back();
  if (row % info.block_elements != 0) {
    fail("tensor {}: rows of {} elements: type {} needs a multiple of {}", quote(name), row, info.name,
         info.block_elements);
  }
  size_t elements = 1;
  for (const size_t extent : shape) elements = checked_mul(elements, extent, "number of elements");
  return dtype_bytes(type, elements);
}

OutputTensor output_tensor(NamedTensor tensor) {
  const Bytes data = tensor.data;
  return {std::move(tensor.name), tensor.type, std::move(tensor.shape), [data](const ByteSink& sink) { sink(data); }};
}

void write_tensor_data(const OutputTensor& tensor, const std::filesystem::path& path, AtomicFile& file) {
  const size_t expected = tensor.byte_size();
  size_t written = 0;
  const auto fail_size = [&](std::string_view more, size_t actual) {
    fail("{}: tensor {}: expected {} bytes, got {}{}", path.string(), quote(tensor.name), expected, more, actual);
  };
  tensor.produce([&](Bytes bytes) {
    if (bytes.size() > expected - written) fail_size("at least ", written + bytes.size());
    file.write(bytes);
    written += bytes.size();
  });
  if (written != expected) fail_size("", written);
}

}  // namespace tern
