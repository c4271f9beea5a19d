#include "template/named_templates.h"

#include <array>

namespace tern {
namespace {

struct NamedTemplate {
  std::string_view name;
  std::string_view source;
};

constexpr std::array<NamedTemplate, 7> kTemplates{{
    {"bitnet",
     "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content | trim }}<|eot_id|>{% endfor %}"
     "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"},
    {"chatml",
     "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"},
    {"falcon3",
     "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\\n' ~ m.content }}"
     "{{ eos_token if m.role == 'assistant' }}{{ '\\n' if m.role != 'assistant' or not loop.last }}{% endfor %}"
     "{% if add_generation_prompt and messages %}{{ '<|assistant|>\\n' }}{% endif %}"},
    {"llama2",
     "{% set ns = namespace(system='', turn=0) %}{% for m in messages %}"
     "{% if m.role == 'system' and loop.first %}"
     "{% set ns.system = '<<SYS>>\\n' ~ m.content ~ '\\n<</SYS>>\\n\\n' %}"
     "{% elif (m.role == 'user') != (ns.turn % 2 == 0) %}"
     "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
     "{% else %}{% if m.role == 'user' %}"
     "{{ bos_token ~ '[INST] ' ~ ((ns.system if ns.turn == 0 else '') ~ m.content) | trim ~ ' [/INST]' }}"
     "{% else %}{{ ' ' ~ m.content | trim ~ ' ' ~ eos_token }}{% endif %}{% set ns.turn = ns.turn + 1 %}{% endif %}"
     "{% endfor %}"},
    {"llama3",
     "{% for m in messages %}{{ bos_token if loop.first }}"
     "{{ '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\\n\\n' ~ m.content | trim ~ '<|eot_id|>' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"},
    // For models of texts, which know no turns: each message goes on with the text before it.
    {"plain",
     "{% for m in messages %}{{ '\\n\\n' if m.role != 'assistant' and not loop.first }}{{ m.content }}{% endfor %}"},
    {"qwen",
     "{% if not messages or messages[0].role != 'system' %}"
     "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
     "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"},
}};

}  // namespace

std::optional<std::string> find_named_template(std::string_view name) {
  for (const NamedTemplate& known : kTemplates) {
    if (known.name == name) return std::string(known.source);
  }
  return std::nullopt;
}

std::string name_of_template(std::string_view source) {
  for (const NamedTemplate& known : kTemplates) {
    if (known.source == source) return std::string(known.name);
  }
  return is_faulty_bitnet_template(source) ? "faulty" : "own";
}

std::string template_names() {
  std::string names;
  for (const NamedTemplate& known : kTemplates) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return names;
}

bool is_faulty_bitnet_template(std::string_view source) {
  return source.find("'Human: '") != std::string_view::npos &&
         source.find("BITNETAssistant: ") != std::string_view::npos;
}

}  // namespace tern
