// The chat template of a Hugging Face directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tern {

// chat_template.jinja, else "chat_template" of tokenizer_config.json: a text, or a list of {name, template} of which
// "default" counts. Empty when there is none. Error for a file that cannot be read or is of another form.
std::optional<std::string> read_hf_chat_template(const std::filesystem::path& directory);

// The same from the text of a tokenizer_config.json.
std::optional<std::string> parse_hf_chat_template(std::string_view tokenizer_config, std::string_view where);

// The text of a tokenizer_config.json with "chat_template" in it.
std::string with_hf_chat_template(std::string_view tokenizer_config, const std::string& chat_template);

}  // namespace tern
