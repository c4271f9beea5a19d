// Text inside HTML, SVG and XML.
#pragma once

#include <string>
#include <string_view>

namespace tern {

// `text` as it may stand between tags and in quoted attributes.
std::string escape_markup(std::string_view text);

}  // namespace tern
