// Texts as lm-evaluation-harness cleans them before a model sees them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// What becomes of a text of a task after its template is rendered.
enum class TextCleaning : uint8_t {
  kNone,
  // HellaSwag's: no white space around, " [title]" becomes ". ", no "[...]" on a line, and two spaces become one, once.
  kWikiHow,
};

std::string clean_text(std::string_view text, TextCleaning cleaning);

// The articles of a WikiText file, each with its title line, as EleutherAI/wikitext_document_level cuts it.
std::vector<std::string> wikitext_pages(std::string_view text);

// An article without the marks of WikiText's tokenizer (" @-@ ", spaces around punctuation), as the harness's task
// wikitext has a model read it.
std::string wikitext_detokenized(std::string_view page);

// The file's rows as the data set wikitext-2-raw-v1 has them (blank lines are empty, others keep their end), joined by
// "\n\n": the text whose perplexity GPTQ's and many later papers state.
std::string wikitext_joined_rows(std::string_view text);

// How many pieces white space (Python's) cuts the text into, empty ones at its ends too: the words that the harness's
// word perplexity counts.
size_t count_words(std::string_view text);

}  // namespace tern
