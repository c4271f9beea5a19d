#include "model/chat_format.h"

#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "template/named_templates.h"

namespace tern {
namespace {

std::string special_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? tokenizer.token_bytes(*id) : "";
}

}  // namespace

std::string mended_chat_template(const std::string& of_model) {
  if (!is_faulty_bitnet_template(of_model)) return of_model;
  log_warning(
      "the file's chat template (\"Human: ... BITNETAssistant: \") is not the one that the model was trained with; "
      "'bitnet' is used instead (--chat-template FILE overrides)");
  return *find_named_template("bitnet");
}

ChatTemplate choose_chat_template(const std::optional<std::string>& of_model, const std::string& choice) {
  if (!choice.empty()) {
    if (const auto named = find_named_template(choice)) return ChatTemplate(*named, "chat template " + choice);
    if (!std::filesystem::exists(choice)) {
      fail("--chat-template: expected a file or one of {}, found '{}'", template_names(), choice);
    }
    return ChatTemplate(read_file(choice), choice);
  }
  if (!of_model) {
    fail("the model has no chat template; expected --chat-template FILE or one of {}", template_names());
  }
  return ChatTemplate(mended_chat_template(*of_model), "the model's chat template");
}

std::vector<int32_t> turn_end_tokens(const Tokenizer& tokenizer) {
  static constexpr std::array<std::string_view, 7> kNames = {"<|eot_id|>", "<|eom_id|>",    "<|im_end|>",   "<|end|>",
                                                             "<eos>",      "<end_of_turn>", "<|endoftext|>"};
  std::vector<int32_t> ids;
  for (const std::string_view name : kNames) {
    const auto id = tokenizer.token_id(name);
    if (id && tokenizer.is_special(*id)) ids.push_back(*id);
  }
  return ids;
}

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view rendered) {
  const std::string bos = special_text(tokenizer, tokenizer.bos_id());
  const bool written = !bos.empty() && rendered.starts_with(bos);
  return tokenizer.encode(rendered, tokenizer.add_bos() && !written, true);
}

ChatRendering chat_rendering(const Tokenizer& tokenizer) {
  ChatRendering rendering;
  rendering.bos_token = special_text(tokenizer, tokenizer.bos_id());
  const auto& eos = tokenizer.eos_ids();
  rendering.eos_token = eos.empty() ? "" : tokenizer.token_bytes(eos.front());
  return rendering;
}

}  // namespace tern
