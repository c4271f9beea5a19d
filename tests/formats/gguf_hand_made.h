// GGUF files put together by hand, every part of which can be wrong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf_read.h"
#include "support.h"

namespace tern::test {

inline void put_string(ByteWriter& writer, std::string_view text) {
  writer.write(uint64_t{text.size()});
  writer.write_text(text);
}

// A GGUF file put together by hand: every part can be made wrong.
struct HandMade {
  std::string_view magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count;
  std::optional<uint64_t> entry_count;
  size_t alignment = 32;
  std::vector<std::string> entries;
  std::vector<std::string> tensors;
  std::string data;

  HandMade& entry(std::string_view key, uint32_t type, const std::function<void(ByteWriter&)>& value) {
    ByteWriter writer;
    put_string(writer, key);
    writer.write(type);
    value(writer);
    entries.push_back(writer.text());
    return *this;
  }
  HandMade& entry_u32(std::string_view key, uint32_t value) {
    return entry(key, 4, [&](ByteWriter& writer) { writer.write(value); });
  }
  // dims in file order: innermost first.
  HandMade& tensor(std::string_view name, std::vector<uint64_t> dims, uint32_t type, uint64_t offset) {
    ByteWriter writer;
    put_string(writer, name);
    writer.write(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) writer.write(dim);
    writer.write(type);
    writer.write(offset);
    tensors.push_back(writer.text());
    return *this;
  }
  std::string text() const {
    ByteWriter writer;
    writer.write_text(magic);
    writer.write(version);
    writer.write(tensor_count.value_or(tensors.size()));
    writer.write(entry_count.value_or(entries.size()));
    for (const std::string& entry_text : entries) writer.write_text(entry_text);
    for (const std::string& tensor_text : tensors) writer.write_text(tensor_text);
    writer.pad_to(alignment);
    writer.write_text(data);
    return writer.text();
  }
};

inline void open(std::string_view content) {
  const ExactBytes exact(content);
  GgufFile file(exact.bytes(), "test.gguf");
}

inline void expect_refused(const HandMade& file, std::string_view part) {
  expect_error([&] { open(file.text()); }, part);
  EXPECT_TRUE(error_of([&] { open(file.text()); }).starts_with("test.gguf: "));
}

}  // namespace tern::test
