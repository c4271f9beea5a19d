// The requests and objects of OpenAI's API as far as tern speaks it (docs/serving.md), with the fields that vLLM and
// llama.cpp added. JSON is parsed and written here, in tool_requests.cc and
// in service.cc only.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "infer/batcher.h"
#include "infer/sampler.h"
#include "server/tool_calls.h"
#include "tokenizer/tokenizer.h"

namespace tern {

using Json = nlohmann::ordered_json;

// What a client did wrong, or cannot have: becomes the API's error object.
struct ApiError : std::runtime_error {
  ApiError(int status_, const std::string& message, std::string param_ = "", std::string code_ = "")
      : std::runtime_error(message), status(status_), param(std::move(param_)), code(std::move(code_)) {}
  int status;
  std::string param;
  std::string code;
};

// Of requests that come, or are still under way, when the server ends.
ApiError shutting_down();

// {"error": {"message", "type", "param", "code"}}
Json error_object(const ApiError& error);

// How deep and how much a request may be.
struct ApiLimits {
  size_t most_choices = 128;  // of a prompt
  size_t most_prompts = 2048;
  size_t most_sequences = 4096;  // prompts times choices
  size_t most_stops = 64;
  size_t longest_stop = 1024;  // bytes
  size_t most_biases = 1024;
  size_t most_logprobs = 100;
  size_t longest_grammar = 65536;  // bytes, of a schema too
  size_t most_tools = 128;
  size_t longest_tools = size_t{1} << 20;  // bytes, all together
  size_t longest_tool_name = 256;          // bytes
};

// A body as JSON: an object, with at most some levels. ApiError 400 otherwise.
Json parse_body(const std::string& body);

// What answers must look like, as the request says it.
struct StructuredOutput {
  enum class Kind : uint8_t { kNone, kGrammar, kSchema };
  Kind kind = Kind::kNone;
  std::string text;   // GBNF, or a JSON schema
  std::string param;  // the field that it came from
};

// What completions and chats have in common.
struct GenerationOptions {
  std::optional<size_t> max_tokens;
  size_t choices = 1;
  SamplerOptions sampling;  // the seed only when `seeded`
  bool seeded = false;
  std::vector<std::string> stops;
  std::vector<int32_t> stop_tokens;
  StructuredOutput structure;
  bool ignore_eos = false;
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  size_t top_logprobs = 0;
  std::optional<double> seconds;  // before it is given up
};

using Prompt = std::variant<std::string, std::vector<int32_t>>;

struct CompletionRequest {
  GenerationOptions options;
  std::vector<Prompt> prompts;
  bool echo = false;
  size_t best_of = 1;
  bool add_special_tokens = true;  // BOS in front of texts
};

struct ChatRequest {
  GenerationOptions options;
  // An array of {"role", "content": text, ...}; the arguments in "tool_calls" are objects where they can be.
  Json messages;
  Json tools;  // as the template gets them: an array, or null
  ToolUse tool_use;
};

struct EmbeddingRequest {
  std::vector<Prompt> inputs;
  bool base64 = false;  // how vectors are written
};

// Each throws ApiError 400 that names the field. Unknown fields are ignored, null is as good as none.
CompletionRequest parse_completion(const Json& body, const ApiLimits& limits);
ChatRequest parse_chat(const Json& body, const ApiLimits& limits);
// `dimensions`: how many a vector has here; no other number may be asked for.
EmbeddingRequest parse_embedding(const Json& body, const ApiLimits& limits, size_t dimensions);

// One answer as it comes.
struct ChoiceLogprobs {
  std::vector<int32_t> tokens;
  std::vector<std::optional<TokenLogprobs>> values;  // none of a prompt's first token
};

// Completions' {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of the entries from `first` on; `offset`
// is where the first one's text begins, in code points, and is moved behind the last one's.
Json completion_logprobs(const Tokenizer& tokenizer, const ChoiceLogprobs& logprobs, size_t first, size_t top,
                         size_t& offset);
// Chats' {"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null}.
Json chat_logprobs(const Tokenizer& tokenizer, const ChoiceLogprobs& logprobs, size_t first, size_t top);

// A chat's whole answer: {"role", "content", "refusal", "tool_calls"}. Content that is blank beside calls is null.
Json chat_message(const AnswerPiece& answer);
// The same of a piece, whose calls are numbered from `first_call` on.
Json chat_delta(const AnswerPiece& piece, size_t first_call);

// llama.cpp's [{"id", "piece"}]: a piece is a text, or a list of bytes where these are no UTF-8.
Json token_pieces(const Tokenizer& tokenizer, const std::vector<int32_t>& tokens);

// {"object", "index", "embedding": numbers, or base64 of float32 in little endian}
Json embedding_object(size_t index, const std::vector<float>& vector, bool base64);

Json usage_object(size_t prompt_tokens, size_t completion_tokens, size_t cached_tokens);

}  // namespace tern
