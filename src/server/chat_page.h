// The chat page of src/server/web as one document, made while building (cmake/EmbedPage.cmake).
#pragma once

#include <string_view>

namespace tern {

// HTML in UTF-8; it loads nothing else.
std::string_view chat_page();
// The Content-Security-Policy that it needs: its own styles and scripts by their hashes, requests to its server alone.
std::string_view chat_page_policy();

}  // namespace tern
