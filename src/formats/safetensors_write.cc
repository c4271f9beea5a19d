#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "formats/safetensors_types.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

// The place of `type` in the table of types, which is the order of writing.
size_t type_rank(const OutputTensor& tensor) {
  for (size_t rank = 0; rank < kSafetensorsTypes.size(); ++rank) {
    if (kSafetensorsTypes[rank].type == tensor.type) return rank;
  }
  fail("tensor {}: type {} cannot be stored in a safetensors file", quote(tensor.name), dtype_info(tensor.type).name);
}

void check_names(std::span<const OutputTensor> tensors) {
  std::set<std::string_view> names;
  for (const OutputTensor& tensor : tensors) {
    if (!is_valid_utf8(tensor.name) || tensor.name == "__metadata__") {
      fail("{} cannot be a tensor's name in a safetensors file", quote(tensor.name));
    }
    if (!names.insert(tensor.name).second) fail("tensor {} is given twice", quote(tensor.name));
  }
}

std::vector<const OutputTensor*> writing_order(std::span<const OutputTensor> tensors) {
  std::vector<std::pair<size_t, const OutputTensor*>> ranked;
  for (const OutputTensor& tensor : tensors) ranked.emplace_back(type_rank(tensor), &tensor);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->name < b.second->name;
  });
  std::vector<const OutputTensor*> order;
  for (const auto& [rank, tensor] : ranked) order.push_back(tensor);
  return order;
}

std::string header_text(const std::vector<const OutputTensor*>& order,
                        const std::map<std::string, std::string>& metadata) {
  ordered_json header = ordered_json::object();
  for (const auto& [key, value] : metadata) {
    if (!is_valid_utf8(key) || !is_valid_utf8(value)) fail("metadata {} is not UTF-8", quote(key));
    header["__metadata__"][key] = value;
  }
  size_t offset = 0;
  // An ordered_json object is searched from its front on insertion; with thousands of tensors that would be quadratic,
  // so its underlying vector is appended to (the names are known to differ).
  auto& fields = header.get_ref<ordered_json::object_t&>();
  for (const OutputTensor* tensor : order) {
    const size_t end = checked_add(offset, tensor->byte_size(), "file size");
    ordered_json entry = {{"dtype", kSafetensorsTypes[type_rank(*tensor)].name},
                          {"shape", tensor->shape},
                          {"data_offsets", {offset, end}}};
    fields.push_back({tensor->name, std::move(entry)});
    offset = end;
  }
  std::string text = json_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kSafetensorsMaxHeader) {
    fail("the header takes {} bytes, safetensors allows {}", text.size(), kSafetensorsMaxHeader);
  }
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const OutputTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto [order, header] = with_context(path.string(), [&] {
    check_names(tensors);
    std::vector<const OutputTensor*> sorted = writing_order(tensors);
    std::string text = header_text(sorted, metadata);
    return std::pair(std::move(sorted), std::move(text));
  });
  ByteWriter prefix;
  prefix.write(uint64_t{header.size()});
  prefix.write_text(header);
  AtomicFile file(path);
  file.write(prefix.text());
  for (const OutputTensor* tensor : order) write_tensor_data(*tensor, path, file);
  file.commit();
}

}  // namespace tern
