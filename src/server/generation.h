// One request for text on its way: prompts to the engine, events to a reply, whole or as a stream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/answer_text.h"
#include "server/engine.h"
#include "server/http.h"
#include "server/metrics.h"
#include "server/openai.h"

namespace tern {

// What a generation needs of its surroundings; on the HTTP server's thread but for `post`.
struct GenerationContext {
  const Tokenizer& tokenizer;
  Engine& engine;
  Metrics& metrics;
  std::string model;
  std::function<void(std::function<void()>)> post;  // to the HTTP server's thread, from any other
  std::function<void()> ended;                      // once, when nothing more comes
};

// A prompt as tokens; its text as echo shows it.
struct EncodedPrompt {
  std::vector<int32_t> tokens;
  std::string text;
};

enum class ApiKind : uint8_t { kCompletion, kChat };

struct GenerationSpec {
  ApiKind kind = ApiKind::kCompletion;
  GenerationOptions options;
  std::vector<EncodedPrompt> prompts;
  bool echo = false;
  size_t best_of = 1;  // answers made of each prompt, of which options.choices are given
  std::vector<int32_t> stop_tokens;
  ToolUse tools;
  std::shared_ptr<const Grammar> grammar;  // kept until the engine has forgotten the request
  AnswerFormat format;
};

// Begins it; throws ApiError when it cannot be had (the engine is full: 429), having sent nothing.
void generate(const GenerationContext& context, GenerationSpec spec, std::shared_ptr<HttpReply> reply);

}  // namespace tern
