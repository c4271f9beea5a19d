// YAML task files as the JSON that defines tasks.
#pragma once

#include <string>
#include <string_view>

namespace tern {

// The JSON text of a YAML document: mappings, lists, texts, and of what stands without quotes null, true, false and
// numbers as JSON writes them. Error "WHERE: line N: ..." for what is not YAML, a key that is there twice, tags (Python
// functions, for one) and documents of unreasonable size or depth.
std::string json_of_yaml(std::string_view text, const std::string& where);

}  // namespace tern
