// A report for people.
#pragma once

#include <string>

#include "report/document.h"

namespace tern {

// One document that needs nothing else: no script, no file, no address. Follows the reader's choice of light or dark
// and the width of the window; every text in it is escaped.
std::string render_html(const Document& document);

// GitHub's Markdown. Measured numbers are bold, scaled ones bold and italic, modelled ones italic, published ones
// plain.
std::string render_markdown(const Document& document);

}  // namespace tern
