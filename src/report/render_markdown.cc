#include <fmt/core.h>

#include "report/render.h"

namespace tern {
namespace {

// Text that nothing in it is taken for markup of.
std::string escape_cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == '\t') {
      escaped += ' ';
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else {
      if (std::string_view("\\`*_[]|#~").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

std::string cell_text(const Cell& cell, size_t note) {
  std::string_view mark;
  if (cell.origin == Origin::kMeasured) mark = "**";
  if (cell.origin == Origin::kScaled) mark = "***";
  if (cell.origin == Origin::kModelled) mark = "*";
  std::string text = fmt::format("{0}{1}{0}", mark, escape_cell(cell.text));
  if (note > 0) text += fmt::format(" ({})", note);
  return text;
}

std::string table_text(const Table& table) {
  const NumberedNotes numbered = numbered_notes(table);
  std::string text = fmt::format("### {}\n\n|", escape_cell(table.title));
  for (const std::string& column : table.columns) text += fmt::format(" {} |", escape_cell(column));
  text += "\n|";
  for (size_t i = 0; i < table.columns.size(); ++i) text += i == 0 ? "---|" : "---:|";
  text += "\n";
  for (const std::vector<Cell>& row : table.rows) {
    text += "|";
    for (const Cell& cell : row) text += fmt::format(" {} |", cell_text(cell, numbered.number_of(cell)));
    text += "\n";
  }
  text += "\n";
  for (size_t i = 0; i < numbered.notes.size(); ++i)
    text += fmt::format("({}) {}  \n", i + 1, escape_cell(numbered.notes[i]));
  if (!numbered.notes.empty()) text += "\n";
  for (const std::string& note : table.notes) text += fmt::format("{}\n\n", escape_cell(note));
  return text;
}

}  // namespace

std::string render_markdown(const Document& document) {
  std::string text = fmt::format("# {}\n\n", escape_cell(document.title));
  if (!document.is_complete)
    text += "**This report was interrupted: what is missing below has not been measured yet.**\n\n";
  text += "| | |\n|---|---|\n";
  text += fmt::format("| started | {} |\n", escape_cell(document.started));
  for (const auto& [name, value] : document.facts)
    text += fmt::format("| {} | {} |\n", escape_cell(name), escape_cell(value));
  text +=
      "\n**Bold** numbers were measured on this machine, ***bold italic*** ones are scaled from fewer layers measured "
      "on\n"
      "it, *italic* ones are computed by a formula, plain ones were published by others. – was not measured.\n";
  for (const Section& section : document.sections) {
    text += fmt::format("\n## {}\n\n", escape_cell(section.title));
    for (const std::string& paragraph : section.paragraphs) text += fmt::format("{}\n\n", escape_cell(paragraph));
    for (const Table& table : section.tables) text += table_text(table);
  }
  text += "\n## What was not measured\n\n";
  const std::vector<std::string> missing = not_measured(document);
  for (const std::string& line : missing) text += fmt::format("- {}\n", escape_cell(line));
  if (missing.empty()) text += "Nothing is missing.\n";
  return text;
}

}  // namespace tern
