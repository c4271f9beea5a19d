#include <fmt/core.h>

#include <array>

#include "base/markup.h"
#include "base/text.h"
#include "report/render.h"

namespace tern {
namespace {

// Every plot is there twice, in pixels that are not scaled: its letters would be too small on narrow screens.
struct PlotFigure {
  std::string_view name;  // the class of its figure
  size_t width, height;
};
constexpr std::array<PlotFigure, 2> kPlotFigures = {{{"wide", 640, 360}, {"narrow", 340, 400}}};

// Names that the style sheets of the plots inside do not have. On narrow screens a table scrolls by itself, its first
// column stays. Heads of columns break between words alone.
constexpr std::string_view kStyle = R"(
:root{--paper-colour:#fff;--ink-colour:#1d2125;--faint:#667;--rule:#d8dce0;--band:#f4f6f8;--here:#00604a;--warn:#8a4b00}
@media (prefers-color-scheme:dark){:root{--paper-colour:#14171a;--ink-colour:#dadada;--faint:#99a;--rule:#343a40;
--band:#1c2024;--here:#5fd7b4;--warn:#f0b060}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:62rem;background:var(--paper-colour);color:var(--ink-colour);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.5rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:1.5rem 0 .4rem}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap;
overflow-wrap:normal}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper-colour)}
thead th,thead th:first-child{background:var(--band);vertical-align:bottom;white-space:normal}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:.9rem}dl.facts dd{margin:0}
.measured{color:var(--here);font-weight:700}.scaled{color:var(--here);font-weight:700;font-style:italic}
.modelled{font-style:italic}.missing{color:var(--faint)}.warn{color:var(--warn);font-weight:700}
.small{font-size:.82rem;color:var(--faint)}ol.small{padding-left:1.4rem;margin:.3rem 0}
figure{margin:1rem 0;overflow-x:auto}figure.narrow{display:none}
@media (max-width:44rem){figure.wide{display:none}figure.narrow{display:block}
th:first-child,td:first-child{white-space:normal;max-width:9rem}}
)";

// For text and for attributes; controls and invalid UTF-8 as \xNN.
std::string escape_html(std::string_view text) { return escape_markup(printable(text, SIZE_MAX)); }

std::string_view origin_class(Origin origin) {
  return origin == Origin::kNotMeasured ? "missing" : origin_name(origin);
}

std::string cell_html(const Cell& cell, size_t note) {
  std::string html = "<td";
  if (cell.origin != Origin::kNone) {
    html += fmt::format(" class=\"{}\" title=\"{}\"", origin_class(cell.origin), origin_name(cell.origin));
  }
  html += fmt::format(">{}", escape_html(cell.text));
  if (note > 0) html += fmt::format(" <sup>{}</sup>", note);
  return html + "</td>";
}

std::string table_html(const Table& table) {
  const NumberedNotes numbered = numbered_notes(table);
  std::string html =
      fmt::format("<h3>{}</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>", escape_html(table.title));
  for (const std::string& column : table.columns) html += fmt::format("<th scope=\"col\">{}</th>", escape_html(column));
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<Cell>& row : table.rows) {
    html += "<tr>";
    for (const Cell& cell : row) html += cell_html(cell, numbered.number_of(cell));
    html += "</tr>\n";
  }
  html += "</tbody></table></div>\n";
  if (!numbered.notes.empty()) {
    html += "<ol class=\"small\">\n";
    for (const std::string& note : numbered.notes) html += fmt::format("<li>{}</li>\n", escape_html(note));
    html += "</ol>\n";
  }
  for (const std::string& note : table.notes) html += fmt::format("<p class=\"small\">{}</p>\n", escape_html(note));
  return html;
}

std::string section_html(const Section& section) {
  std::string html = fmt::format("<section>\n<h2>{}</h2>\n", escape_html(section.title));
  for (const std::string& paragraph : section.paragraphs) html += fmt::format("<p>{}</p>\n", escape_html(paragraph));
  for (const Plot& plot : section.plots) {
    for (const PlotFigure& figure : kPlotFigures) {
      html +=
          fmt::format("<figure class=\"{}\">{}</figure>\n", figure.name, draw_svg(plot, figure.width, figure.height));
    }
  }
  for (const Table& table : section.tables) html += table_html(table);
  return html + "</section>\n";
}

}  // namespace

std::string render_html(const Document& document) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n<style>{1}</style>\n</head>\n"
      "<body>\n<h1>{0}</h1>\n",
      escape_html(document.title), kStyle);
  if (!document.is_complete) {
    html += "<p class=\"warn\">This report was interrupted: what is missing below has not been measured yet.</p>\n";
  }
  html += fmt::format("<dl class=\"facts\">\n<dt>started</dt><dd>{}</dd>\n", escape_html(document.started));
  for (const auto& [name, value] : document.facts) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(value));
  }
  html +=
      "</dl>\n<p><span class=\"measured\">Bold</span> numbers were measured on this machine, <span "
      "class=\"scaled\">bold italic</span> ones are scaled from fewer layers measured on it, <span "
      "class=\"modelled\">italic</span> ones are computed by a formula, plain ones were published by others. "
      "<span class=\"missing\">–</span> was not measured.</p>\n";
  for (const Section& section : document.sections) html += section_html(section);
  html += "<section>\n<h2>What was not measured</h2>\n<ul>\n";
  const std::vector<std::string> missing = not_measured(document);
  for (const std::string& line : missing) html += fmt::format("<li>{}</li>\n", escape_html(line));
  if (missing.empty()) html += "<li>Nothing is missing.</li>\n";
  return html + "</ul>\n</section>\n</body>\n</html>\n";
}

}  // namespace tern
