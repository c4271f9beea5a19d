#include "server/answer_formats.h"

#include <algorithm>

#include "base/error.h"
#include "infer/json_schema.h"

namespace tern {
namespace {

constexpr size_t kMostKnown = 16;

}  // namespace

std::shared_ptr<const Grammar> AnswerFormats::grammar(const StructuredOutput& structure) {
  if (structure.kind == StructuredOutput::Kind::kNone) return nullptr;
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
    return known.structure.kind == structure.kind && known.structure.text == structure.text;
  });
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
    return known_.front().grammar;
  }
  try {
    const bool schema = structure.kind == StructuredOutput::Kind::kSchema;
    Grammar compiled = compile_grammar(schema ? grammar_of_schema(structure.text) : structure.text);
    known_.push_front({structure, std::make_shared<const Grammar>(std::move(compiled))});
  } catch (const Error& error) {
    throw ApiError(400, structure.param + ": " + error.what(), structure.param);
  }
  if (known_.size() > kMostKnown) known_.pop_back();
  return known_.front().grammar;
}

const TokenTrie& AnswerFormats::trie() {
  if (!trie_) trie_.emplace(tokenizer_);
  return *trie_;
}

}  // namespace tern
