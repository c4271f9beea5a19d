#include "server/openai.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/text.h"
#include "infer/json_schema.h"
#include "server/answer_text.h"
#include "server/request_fields.h"
#include "server/tool_requests.h"

namespace tern {
namespace {

constexpr int kDeepest = 64;
constexpr double kLeastLogprob = -9999.0;  // JSON has no infinity; vLLM's number

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

void parse_stops(const Fields& fields, const ApiLimits& limits, GenerationOptions& options) {
  const Json* stop = fields.find("stop");
  if (stop == nullptr) return;
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!list.is_array()) fields.refuse("stop", "a text or a list of texts");
  if (list.size() > limits.most_stops) fields.refuse("stop", fmt::format("at most {} texts", limits.most_stops));
  for (const Json& text : list) {
    if (!text.is_string()) fields.refuse("stop", "a text or a list of texts");
    options.stops.push_back(text.get<std::string>());
    if (options.stops.back().size() > limits.longest_stop) {
      fields.refuse("stop", fmt::format("texts of at most {} bytes", limits.longest_stop));
    }
  }
}

std::vector<int32_t> token_list(const Fields& fields, const char* name, const Json& list) {
  std::vector<int32_t> tokens;
  for (const Json& token : list) {
    if (!token.is_number_integer()) fields.refuse(name, "token ids");
    const auto id = token.get<int64_t>();
    if (id < 0 || id > std::numeric_limits<int32_t>::max()) fields.refuse(name, fmt::format("token ids, not {}", id));
    tokens.push_back(static_cast<int32_t>(id));
  }
  return tokens;
}

void parse_biases(const Fields& fields, const ApiLimits& limits, SamplerOptions& sampling) {
  const Json* biases = fields.find("logit_bias");
  if (biases == nullptr) return;
  const char* expected = "an object from token ids to numbers from -100 to 100";
  if (!biases->is_object()) fields.refuse("logit_bias", expected);
  if (biases->size() > limits.most_biases)
    fields.refuse("logit_bias", fmt::format("at most {} tokens", limits.most_biases));
  for (const auto& [key, bias] : biases->items()) {
    const bool digits = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || !bias.is_number() || std::fabs(bias.get<double>()) > 100) fields.refuse("logit_bias", expected);
    sampling.logit_bias.emplace_back(std::stoi(key), bias.get<float>());
  }
}

void set_structure(const Fields& fields, const ApiLimits& limits, const char* name, StructuredOutput::Kind kind,
                   std::string text, StructuredOutput& structure) {
  if (structure.kind != StructuredOutput::Kind::kNone) fields.refuse(name, "none beside " + structure.param);
  if (text.size() > limits.longest_grammar)
    fields.refuse(name, fmt::format("at most {} bytes", limits.longest_grammar));
  structure = {kind, std::move(text), name};
}

// OpenAI's {"type": "json_schema", "json_schema": {"schema": ...}}, and llama.cpp's with the schema beside the type.
void parse_response_format(const Fields& fields, const ApiLimits& limits, StructuredOutput& structure) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return;
  const char* expected = "{\"type\": \"text\"}, \"json_object\" or \"json_schema\" with its schema";
  if (!format->is_object()) fields.refuse("response_format", expected);
  const Fields inner(*format);
  const Json* type = inner.find("type");
  if (type == nullptr) fields.refuse("response_format", expected);
  if (*type == "text") return;
  const Json* named = inner.find("json_schema");
  if (named != nullptr && !named->is_object()) fields.refuse("response_format", expected);
  const Json* schema = named != nullptr ? Fields(*named).find("schema") : inner.find("schema");
  const bool any_object = *type == "json_object" && schema == nullptr;
  if ((*type != "json_schema" && *type != "json_object") || (schema == nullptr && !any_object)) {
    fields.refuse("response_format", expected);
  }
  set_structure(fields, limits, "response_format", StructuredOutput::Kind::kSchema,
                any_object ? std::string(kAnyObjectSchema) : schema->dump(), structure);
}

void parse_structure(const Fields& fields, const ApiLimits& limits, StructuredOutput& structure) {
  for (const char* name : {"guided_regex", "guided_grammar", "guided_choice", "structured_outputs"}) {
    if (fields.find(name) == nullptr) continue;
    throw ApiError(400, fmt::format("{}: is not supported, expected response_format, json_schema or grammar", name),
                   name);
  }
  parse_response_format(fields, limits, structure);
  for (const char* name : {"json_schema", "guided_json"}) {
    const Json* schema = fields.find(name);
    if (schema == nullptr) continue;
    set_structure(fields, limits, name, StructuredOutput::Kind::kSchema, schema->dump(), structure);
  }
  if (const Json* grammar = fields.find("grammar"); grammar != nullptr && *grammar != "") {
    if (!grammar->is_string()) fields.refuse("grammar", "a text");
    set_structure(fields, limits, "grammar", StructuredOutput::Kind::kGrammar, grammar->get<std::string>(), structure);
  }
}

// There is one model, and no user of it is told from another.
void check_names(const Fields& fields) {
  std::string ignored;
  for (const char* name : {"model", "user"}) fields.text(name, ignored);
}

void parse_options(const Fields& fields, const ApiLimits& limits, GenerationOptions& options) {
  check_names(fields);
  SamplerOptions& sampling = options.sampling;
  sampling.temperature = 1;
  sampling.top_k = 0;
  sampling.top_p = 1;
  fields.number("temperature", 0, 100, sampling.temperature);
  fields.number("top_p", 0, 1, sampling.top_p);
  if (sampling.top_p == 0) sampling.top_p = std::numeric_limits<float>::min();  // the best token alone
  auto top_k = static_cast<int64_t>(sampling.top_k);
  fields.number("top_k", -1, 1e9, top_k);
  sampling.top_k = static_cast<size_t>(std::max(top_k, int64_t{0}));  // -1 is vLLM's "all"
  fields.number("min_p", 0, 1, sampling.min_p);
  fields.number("repetition_penalty", 0.01, 100, sampling.repetition_penalty);
  fields.number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);
  fields.number("presence_penalty", -2, 2, sampling.presence_penalty);
  fields.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  if (fields.find("seed") != nullptr) {
    int64_t seed = 0;
    fields.number("seed", -9.3e18, 9.3e18, seed);
    sampling.seed = static_cast<uint64_t>(seed);
    options.seeded = true;
  }
  fields.number("n", 1, static_cast<double>(limits.most_choices), options.choices);
  fields.flag("stream", options.stream);
  if (const Json* stream = fields.find("stream_options")) {
    if (!stream->is_object()) fields.refuse("stream_options", "an object");
    Fields(*stream, "stream_options.").flag("include_usage", options.include_usage);
  }
  fields.flag("ignore_eos", options.ignore_eos);
  if (fields.find("timeout") != nullptr) {
    double seconds = 0;
    fields.number("timeout", 0, 86400, seconds);
    options.seconds = seconds;
  }
  parse_stops(fields, limits, options);
  parse_biases(fields, limits, sampling);
  if (const Json* ids = fields.find("stop_token_ids")) {
    if (!ids->is_array()) fields.refuse("stop_token_ids", "a list of token ids");
    options.stop_tokens = token_list(fields, "stop_token_ids", *ids);
  }
  parse_structure(fields, limits, options.structure);
}

void parse_max_tokens(const Fields& fields, const char* name, GenerationOptions& options) {
  if (fields.find(name) == nullptr) return;
  size_t count = 0;
  fields.number(name, 0, 1e9, count);
  options.max_tokens = count;
}

std::vector<Prompt> parse_prompts(const Fields& fields, const char* name, const ApiLimits& limits) {
  const Json* prompt = fields.find(name);
  const char* expected = "a text, a list of texts, a list of token ids or a list of such lists";
  if (prompt == nullptr) fields.refuse(name, expected);
  if (prompt->is_string()) return {prompt->get<std::string>()};
  if (!prompt->is_array() || prompt->empty()) fields.refuse(name, expected);
  if (prompt->front().is_number()) return {token_list(fields, name, *prompt)};
  if (prompt->size() > limits.most_prompts) fields.refuse(name, fmt::format("at most {} texts", limits.most_prompts));
  std::vector<Prompt> prompts;
  for (const Json& one : *prompt) {
    if (one.is_string()) {
      prompts.emplace_back(one.get<std::string>());
    } else if (one.is_array()) {
      prompts.emplace_back(token_list(fields, name, one));
    } else {
      fields.refuse(name, expected);
    }
  }
  return prompts;
}

// A message's content as one text: parts of type "text" one after the other.
std::string content_text(const Fields& fields, const Json* content) {
  if (content == nullptr) return "";
  if (content->is_string()) return content->get<std::string>();
  const char* expected = "a text or a list of parts {\"type\": \"text\", \"text\": ...}";
  if (!content->is_array()) fields.refuse("content", expected);
  std::string text;
  for (const Json& part : *content) {
    if (!part.is_object() || part.value("type", Json()) != "text" || !part.value("text", Json()).is_string()) {
      fields.refuse("content", expected);
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

Json parse_messages(const Fields& fields) {
  const Json* messages = fields.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->empty()) {
    fields.refuse("messages", "a list of at least one message");
  }
  Json result = Json::array();
  for (size_t i = 0; i < messages->size(); ++i) {
    const std::string prefix = fmt::format("messages[{}].", i);
    if (!(*messages)[i].is_object()) throw ApiError(400, prefix + ": expected an object", "messages");
    const Fields message((*messages)[i], prefix);
    const Json* role = message.find("role");
    const auto known = {"system", "developer", "user", "assistant", "tool"};
    if (role == nullptr || std::none_of(known.begin(), known.end(), [&](const char* name) { return *role == name; })) {
      message.refuse("role", "system, developer, user, assistant or tool");
    }
    Json one = (*messages)[i];
    if (*role == "developer") one["role"] = "system";
    one["content"] = content_text(message, message.find("content"));
    parse_message_calls(message, prefix, one);
    result.push_back(std::move(one));
  }
  return result;
}

double json_logprob(float logprob) { return std::isfinite(logprob) ? static_cast<double>(logprob) : kLeastLogprob; }

Json bytes_of(const std::string& bytes) {
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

size_t code_points(const std::string& text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) ++count;
  return count;
}

std::string base64_text(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i) {
      three = three << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? kDigits[three >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

Json call_objects(const std::vector<ToolCall>& calls) {
  Json list = Json::array();
  for (const ToolCall& call : calls) {
    list.push_back(
        {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return list;
}

}  // namespace

ApiError shutting_down() { return {503, "the server is shutting down", "", "unavailable"}; }

Json error_object(const ApiError& error) {
  Json object = {{"message", error.what()}, {"type", type_of(error.status)}, {"param", nullptr}, {"code", nullptr}};
  if (!error.param.empty()) object["param"] = error.param;
  if (!error.code.empty()) object["code"] = error.code;
  return {{"error", object}};
}

Json parse_body(const std::string& body) {
  Json json;
  try {
    json = parse_ordered_json(body, kDeepest);
  } catch (const Error& error) {
    throw ApiError(400, std::string("the body is ") + error.what());
  }
  if (!json.is_object()) throw ApiError(400, std::string("the body is ") + json.type_name() + ", expected an object");
  return json;
}

CompletionRequest parse_completion(const Json& body, const ApiLimits& limits) {
  const Fields fields(body);
  CompletionRequest request;
  parse_options(fields, limits, request.options);
  // The API's default would refuse most forms.
  if (request.options.structure.kind == StructuredOutput::Kind::kNone) request.options.max_tokens = 16;
  for (const char* name : {"n_predict", "max_tokens"}) parse_max_tokens(fields, name, request.options);
  request.prompts = parse_prompts(fields, "prompt", limits);
  fields.flag("echo", request.echo);
  fields.flag("add_special_tokens", request.add_special_tokens);
  if (const Json* suffix = fields.find("suffix"); suffix != nullptr && *suffix != "") {
    throw ApiError(400, "suffix: this server does not fill in the middle", "suffix");
  }
  if (const Json* logprobs = fields.find("logprobs"); logprobs != nullptr && *logprobs != false) {
    fields.number("logprobs", 0, static_cast<double>(limits.most_logprobs), request.options.top_logprobs);
    request.options.logprobs = true;
  }
  request.best_of = request.options.choices;
  fields.number("best_of", 1, static_cast<double>(limits.most_choices), request.best_of);
  if (request.best_of < request.options.choices) fields.refuse("best_of", "at least n");
  if (request.options.stream && request.best_of > request.options.choices)
    fields.refuse("best_of", "n where stream is true");
  if (request.prompts.size() * request.best_of > limits.most_sequences) {
    fields.refuse("prompt", fmt::format("at most {} answers in all", limits.most_sequences));
  }
  return request;
}

ChatRequest parse_chat(const Json& body, const ApiLimits& limits) {
  const Fields fields(body);
  ChatRequest request;
  parse_options(fields, limits, request.options);
  for (const char* name : {"n_predict", "max_tokens", "max_completion_tokens"}) {
    parse_max_tokens(fields, name, request.options);
  }
  request.messages = parse_messages(fields);
  fields.flag("logprobs", request.options.logprobs);
  if (fields.find("top_logprobs") != nullptr) {
    if (!request.options.logprobs) fields.refuse("top_logprobs", "logprobs to be true");
    fields.number("top_logprobs", 0, static_cast<double>(limits.most_logprobs), request.options.top_logprobs);
  }
  parse_tools(fields, limits, request);
  return request;
}

EmbeddingRequest parse_embedding(const Json& body, const ApiLimits& limits, size_t dimensions) {
  const Fields fields(body);
  check_names(fields);
  EmbeddingRequest request;
  request.inputs = parse_prompts(fields, "input", limits);
  std::string encoding = "float";
  fields.text("encoding_format", encoding);
  request.base64 = encoding == "base64";
  if (!request.base64 && encoding != "float") fields.refuse("encoding_format", "float or base64");
  const auto only = static_cast<double>(dimensions);
  fields.number("dimensions", only, only, dimensions);
  return request;
}

Json completion_logprobs(const Tokenizer& tokenizer, const ChoiceLogprobs& logprobs, size_t first, size_t top,
                         size_t& offset) {
  Json tokens = Json::array(), values = Json::array(), tops = Json::array(), offsets = Json::array();
  for (size_t i = first; i < logprobs.tokens.size(); ++i) {
    const std::string text = token_text(tokenizer, logprobs.tokens[i]);
    tokens.push_back(text);
    offsets.push_back(offset);
    offset += code_points(text);
    if (!logprobs.values[i]) {
      values.push_back(nullptr);
      tops.push_back(nullptr);
      continue;
    }
    const TokenLogprobs& value = *logprobs.values[i];
    values.push_back(json_logprob(value.logprob));
    // The best ones and the chosen one; of several whose text is the same the most probable.
    Json best = Json::object();
    const auto add = [&](const std::string& name, double logprob) {
      if (!best.contains(name) || best[name].get<double>() < logprob) best[name] = logprob;
    };
    for (size_t k = 0; k < std::min(top, value.top.size()); ++k) {
      add(token_text(tokenizer, value.top[k].first), json_logprob(value.top[k].second));
    }
    add(text, json_logprob(value.logprob));
    tops.push_back(top == 0 ? Json(nullptr) : best);
  }
  return {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", tops}, {"text_offset", offsets}};
}

Json chat_logprobs(const Tokenizer& tokenizer, const ChoiceLogprobs& logprobs, size_t first, size_t top) {
  const auto entry = [&](int32_t token, float logprob) {
    return Json{{"token", token_text(tokenizer, token)},
                {"logprob", json_logprob(logprob)},
                {"bytes", bytes_of(tokenizer.token_bytes(token))}};
  };
  Json content = Json::array();
  for (size_t i = first; i < logprobs.tokens.size(); ++i) {
    const TokenLogprobs value = logprobs.values[i].value_or(TokenLogprobs{});
    Json one = entry(logprobs.tokens[i], value.logprob);
    one["top_logprobs"] = Json::array();
    for (size_t k = 0; k < std::min(top, value.top.size()); ++k) {
      one["top_logprobs"].push_back(entry(value.top[k].first, value.top[k].second));
    }
    content.push_back(std::move(one));
  }
  return {{"content", content}, {"refusal", nullptr}};
}

Json chat_message(const AnswerPiece& answer) {
  const bool blank = answer.content.find_first_not_of(" \t\r\n") == std::string::npos;
  Json message = {{"role", "assistant"}, {"content", answer.content}, {"refusal", nullptr}};
  if (answer.calls.empty()) return message;
  if (blank) message["content"] = nullptr;
  message["tool_calls"] = call_objects(answer.calls);
  return message;
}

Json chat_delta(const AnswerPiece& piece, size_t first_call) {
  Json delta = Json::object();
  if (!piece.content.empty() || piece.calls.empty()) delta["content"] = piece.content;
  if (piece.calls.empty()) return delta;
  Json calls = call_objects(piece.calls);
  for (Json& call : calls) call["index"] = first_call++;
  delta["tool_calls"] = std::move(calls);
  return delta;
}

Json embedding_object(size_t index, const std::vector<float>& vector, bool base64) {
  Json object = {{"object", "embedding"}, {"index", index}};
  if (!base64) {
    object["embedding"] = vector;
    return object;
  }
  std::string bytes;
  for (const float value : vector) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(std::bit_cast<uint32_t>(value) >> shift & 0xFF);
    }
  }
  object["embedding"] = base64_text(bytes);
  return object;
}

Json token_pieces(const Tokenizer& tokenizer, const std::vector<int32_t>& tokens) {
  Json pieces = Json::array();
  for (const int32_t token : tokens) {
    const std::string bytes = tokenizer.token_bytes(token);
    pieces.push_back({{"id", token}, {"piece", is_valid_utf8(bytes) ? Json(bytes) : bytes_of(bytes)}});
  }
  return pieces;
}

Json usage_object(size_t prompt_tokens, size_t completion_tokens, size_t cached_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens}}}};
}

}  // namespace tern
