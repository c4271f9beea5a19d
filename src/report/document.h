// A report as data: sections of paragraphs, tables and plots. What is printed, as HTML or Markdown or JSON, is a
// function of it alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/plot.h"

namespace tern {

// Where a number comes from.
enum class Origin {
  kNone,         // a name, a text
  kPublished,    // by others, on their machines
  kMeasured,     // here
  kScaled,       // from measurements here of fewer layers
  kModelled,     // computed by a formula
  kNotMeasured,  // there is none; the note says why
};
std::string_view origin_name(Origin origin);  // "published", "not measured", ...; "" of kNone
// Error for an unknown name.
Origin parse_origin(std::string_view name);

struct Cell {
  std::string text;
  std::optional<double> value;  // the number behind the text
  Origin origin = Origin::kNone;
  std::string note;  // what a reader must know of this number alone

  bool operator==(const Cell&) const = default;
};
Cell text_cell(std::string text);
Cell number_cell(double value, std::string text, Origin origin, std::string note = "");
Cell missing_cell(std::string why);
// Where there is nothing to measure: others have not published it.
Cell absent_cell();

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;  // each as long as columns
  std::vector<std::string> notes;       // sources, conventions

  bool operator==(const Table&) const = default;
};

struct Section {
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<Table> tables;
  std::vector<Plot> plots;
};

struct Document {
  std::string title;
  std::string started;  // UTC
  bool is_complete = true;
  std::vector<std::pair<std::string, std::string>> facts;  // name, value: machine, build, options
  std::vector<Section> sections;
};

// Every cell of Origin::kNotMeasured, once: "TABLE: ROW, COLUMN: why", rows with the same reason together.
std::vector<std::string> not_measured(const Document& document);

// The texts of a table's cells' notes in the order they first appear, and of each cell the number of its note, from 1
// on; 0: it has none.
struct NumberedNotes {
  std::vector<std::string> notes;
  size_t number_of(const Cell& cell) const;
};
NumberedNotes numbered_notes(const Table& table);

}  // namespace tern
