// Writes a model of random ternary weights in the shape of a published one, with a vocabulary of its size, as a TQ2_0
// GGUF file: what `tern bench -m` measures the time to load of.
//   tern_random_gguf 2b4t FILE.gguf
#include <fmt/format.h>

#include <string>
#include <unordered_map>

#include "base/error.h"
#include "model/random_model.h"
#include "model/save.h"
#include "model/shapes.h"

namespace tern {
namespace {

constexpr size_t kLetters = 26;
constexpr size_t kControlTokens = 256;  // as many as Llama 3's

// Word number `index` in the order of length and then of the alphabet: "aa", "ab", ...
std::string word(size_t index) {
  size_t length = 2;
  size_t count = kLetters * kLetters;
  for (; index >= count; ++length, count *= kLetters) index -= count;
  std::string text(length, 'a');
  for (size_t i = length; i-- > 0; index /= kLetters) text[i] = static_cast<char>('a' + index % kLetters);
  return text;
}

// All bytes, then words of letters with two merges each, as Llama 3's 128,000 tokens have 280,147, then control tokens.
Vocabulary make_vocabulary(size_t size) {
  Vocabulary vocabulary;
  vocabulary.split = SplitRule::kLlama3;
  vocabulary.ignore_merges = true;
  std::unordered_map<std::string, int32_t> ids;
  const auto add = [&](std::string bytes, TokenType type) {
    ids.emplace(bytes, static_cast<int32_t>(vocabulary.tokens.size()));
    Token token;
    token.bytes = std::move(bytes);
    token.type = type;
    vocabulary.tokens.push_back(token);
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)), TokenType::kNormal);
  for (size_t i = 0; vocabulary.tokens.size() + kControlTokens < size; ++i) {
    const std::string text = word(i);
    add(text, TokenType::kNormal);
    for (size_t cut = 1; cut<text.size(); cut += text.size() - 2> 0 ? text.size() - 2 : 1) {
      vocabulary.merges.push_back({ids.at(text.substr(0, cut)), ids.at(text.substr(cut)), ids.at(text)});
    }
  }
  for (size_t i = 0; i < kControlTokens; ++i) add(fmt::format("<|control_{}|>", i), TokenType::kControl);
  vocabulary.bos_id = static_cast<int32_t>(size - kControlTokens);
  vocabulary.eos_ids = {*vocabulary.bos_id};
  return vocabulary;
}

void write(const std::string& shape, const std::string& path) {
  constexpr uint64_t kSeed = 1;
  Threads threads(0);
  const ModelConfig config = find_shape(shape);
  if (config.vocab < 2 * kControlTokens) fail("{}: expected a vocabulary of {} at least", shape, 2 * kControlTokens);
  const Model model = random_model(config, kSeed, threads);
  const Vocabulary vocabulary = make_vocabulary(config.vocab);
  save_gguf(model, path,
            {.type = default_file_type(model.config), .vocabulary = &vocabulary, .name = "random " + shape});
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} SHAPE FILE.gguf\n", argv[0]);
    return 2;
  }
  try {
    tern::write(argv[1], argv[2]);
  } catch (const tern::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
