#include "report/document.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 6> kOriginNames = {"",       "published", "measured",
                                                          "scaled", "modelled",  "not measured"};

}  // namespace

std::string_view origin_name(Origin origin) { return kOriginNames[static_cast<size_t>(origin)]; }

Origin parse_origin(std::string_view name) {
  const auto* found = std::find(kOriginNames.begin(), kOriginNames.end(), name);
  if (found == kOriginNames.end()) fail("unknown origin {}", quote(name));
  return static_cast<Origin>(found - kOriginNames.begin());
}

Cell text_cell(std::string text) { return {std::move(text), {}, Origin::kNone, ""}; }

Cell number_cell(double value, std::string text, Origin origin, std::string note) {
  return {std::move(text), value, origin, std::move(note)};
}

Cell missing_cell(std::string why) { return {"–", {}, Origin::kNotMeasured, std::move(why)}; }

Cell absent_cell() { return text_cell("–"); }

std::vector<std::string> not_measured(const Document& document) {
  struct Missing {
    const Table* table;
    std::string why;
    std::vector<std::string> rows;
  };
  std::vector<Missing> all;
  for (const Section& section : document.sections) {
    for (const Table& table : section.tables) {
      for (const std::vector<Cell>& row : table.rows) {
        for (const Cell& cell : row) {
          if (cell.origin != Origin::kNotMeasured) continue;
          const auto same = [&](const Missing& m) { return m.table == &table && m.why == cell.note; };
          auto found = std::find_if(all.begin(), all.end(), same);
          if (found == all.end()) found = all.insert(found, {&table, cell.note, {}});
          if (found->rows.empty() || found->rows.back() != row.front().text) found->rows.push_back(row.front().text);
        }
      }
    }
  }
  std::vector<std::string> lines;
  for (const Missing& missing : all) {
    std::string rows;
    for (const std::string& row : missing.rows) rows += (rows.empty() ? "" : ", ") + row;
    lines.push_back(missing.table->title + " (" + rows + "): " + missing.why);
  }
  return lines;
}

size_t NumberedNotes::number_of(const Cell& cell) const {
  if (cell.note.empty()) return 0;
  return static_cast<size_t>(std::find(notes.begin(), notes.end(), cell.note) - notes.begin()) + 1;
}

NumberedNotes numbered_notes(const Table& table) {
  NumberedNotes numbered;
  for (const std::vector<Cell>& row : table.rows) {
    for (const Cell& cell : row) {
      if (numbered.number_of(cell) > numbered.notes.size()) numbered.notes.push_back(cell.note);
    }
  }
  return numbered;
}

}  // namespace tern
