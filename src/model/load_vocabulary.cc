#include "base/file.h"
#include "formats/gguf_read.h"
#include "model/gguf_metadata.h"
#include "model/load.h"
#include "tokenizer/tokenizer_file.h"

namespace tern {
namespace {

bool is_gguf(const std::filesystem::path& path) {
  constexpr std::string_view kMagic = "GGUF";
  if (std::filesystem::is_directory(path)) return false;
  const MappedFile file(path);
  const std::string_view content(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return content.starts_with(kMagic);
}

}  // namespace

Vocabulary load_vocabulary(const std::filesystem::path& path) {
  if (!is_gguf(path)) return read_tokenizer(path);
  const GgufFile file(path);
  std::optional<Vocabulary> vocabulary = read_gguf_vocabulary(file);
  if (!vocabulary) fail("{}: expected a vocabulary in the file (tokenizer.ggml.model), there is none", path.string());
  with_context(path.string(), [&] { validate(*vocabulary); });
  return *std::move(vocabulary);
}

}  // namespace tern
