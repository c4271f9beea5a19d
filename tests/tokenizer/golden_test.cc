// Small tokenizers that Hugging Face's library has trained, and the ids it gives random texts
// (tests/golden/tokenizer, written by tools/oracle/make_tokenizer_golden.py).
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using nlohmann::json;

std::filesystem::path golden_path() { return source_path("tests/golden/tokenizer"); }

TEST(Golden, IdsAreThoseOfHuggingFace) {
  const std::vector<std::string> texts = json::parse(read_file(golden_path() / "texts.json"));
  const json all = json::parse(read_file(golden_path() / "ids.json"));
  ASSERT_GE(texts.size(), 100u);
  ASSERT_GE(all.size(), 8u);
  for (const auto& [name, cases] : all.items()) {
    const Vocabulary vocabulary = read_hf_tokenizer(golden_path() / (name + ".json"));
    const Tokenizer tokenizer{vocabulary};
    ASSERT_EQ(cases.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<int32_t> expected = cases[i];
      EXPECT_EQ(tokenizer.encode(texts[i], false, true), expected) << name << " case " << i << ": " << json(texts[i]);
    }
    // And the same through the file that tern writes.
    const Vocabulary again = parse_hf_tokenizer(format_hf_tokenizer(vocabulary));
    EXPECT_EQ(vocabulary_hash(again), vocabulary_hash(vocabulary)) << name;
  }
}

}  // namespace
}  // namespace tern
