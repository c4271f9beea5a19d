// The chat templates that tern knows by name, for models that bring none, or a wrong one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tern {

// The template called `name`: bitnet, chatml, falcon3, llama2, llama3, plain, qwen. Empty for another name.
std::optional<std::string> find_named_template(std::string_view name);
// What a model's template is called: the name of one of these, "own", or "faulty" (is_faulty_bitnet_template).
std::string name_of_template(std::string_view source);
// "bitnet, chatml, ...".
std::string template_names();

// Whether this is the template that Microsoft's converter wrote into the published GGUF files of BitNet b1.58 2B4T
// (utils/convert-ms-to-gguf-bitnet.py): it says "Human:" and "BITNETAssistant:", which the model was not trained on,
// leaves out system messages and ends the prompt with EOS. "bitnet" is the right one.
bool is_faulty_bitnet_template(std::string_view source);

}  // namespace tern
