// report.json: written and read here only.
#include <nlohmann/json.hpp>

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "report/measurements.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "tern report";
constexpr int kVersion = 1;

Json cell_json(const Cell& cell) {
  Json json = {{"text", cell.text}};
  if (cell.value) json["value"] = *cell.value;
  if (cell.origin != Origin::kNone) json["origin"] = origin_name(cell.origin);
  if (!cell.note.empty()) json["note"] = cell.note;
  return json;
}

Cell read_cell(const Json& json) {
  Cell cell;
  cell.text = json.at("text").get<std::string>();
  if (json.contains("value")) cell.value = json["value"].get<double>();
  if (json.contains("origin")) cell.origin = parse_origin(json["origin"].get<std::string>());
  if (json.contains("note")) cell.note = json["note"].get<std::string>();
  return cell;
}

Json table_json(const Table& table) {
  Json json = {{"title", table.title}, {"columns", table.columns}, {"rows", Json::array()}, {"notes", table.notes}};
  for (const std::vector<Cell>& row : table.rows) {
    Json cells = Json::array();
    for (const Cell& cell : row) cells.push_back(cell_json(cell));
    json["rows"].push_back(std::move(cells));
  }
  return json;
}

Table read_table(const Json& json) {
  Table table;
  table.title = json.at("title").get<std::string>();
  table.columns = json.at("columns").get<std::vector<std::string>>();
  table.notes = json.at("notes").get<std::vector<std::string>>();
  for (const Json& cells : json.at("rows")) {
    std::vector<Cell> row;
    for (const Json& cell : cells) row.push_back(read_cell(cell));
    if (row.size() != table.columns.size()) {
      fail("table \"{}\": a row of {} cells, expected {}", table.title, row.size(), table.columns.size());
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Json points_json(const std::vector<PlotPoint>& points) {
  Json json = Json::array();
  for (const PlotPoint& point : points) json.push_back({point.x, point.y});
  return json;
}

std::vector<PlotPoint> read_points(const Json& json) {
  std::vector<PlotPoint> points;
  for (const Json& point : json) points.push_back({point.at(0).get<double>(), point.at(1).get<double>()});
  return points;
}

Json plot_json(const Plot& plot) {
  Json json = {{"title", plot.title}, {"x", plot.x_label},   {"y", plot.y_label},
               {"log_x", plot.log_x}, {"log_y", plot.log_y}, {"curves", Json::array()}};
  for (const PlotCurve& curve : plot.curves) {
    json["curves"].push_back({{"label", curve.label}, {"points", points_json(curve.marks)}});
  }
  return json;
}

Plot read_plot(const Json& json) {
  Plot plot;
  plot.title = json.at("title").get<std::string>();
  plot.x_label = json.at("x").get<std::string>();
  plot.y_label = json.at("y").get<std::string>();
  plot.log_x = json.at("log_x").get<bool>();
  plot.log_y = json.at("log_y").get<bool>();
  for (const Json& curve : json.at("curves")) {
    plot.curves.push_back({curve.at("label").get<std::string>(), {}, read_points(curve.at("points"))});
  }
  return plot;
}

Json document_json(const Document& document) {
  Json json = {{"title", document.title},
               {"started", document.started},
               {"facts", Json::array()},
               {"sections", Json::array()},
               {"not_measured", not_measured(document)}};
  for (const auto& [name, value] : document.facts) json["facts"].push_back({name, value});
  for (const Section& section : document.sections) {
    Json part = {{"title", section.title},
                 {"paragraphs", section.paragraphs},
                 {"tables", Json::array()},
                 {"plots", Json::array()}};
    for (const Table& table : section.tables) part["tables"].push_back(table_json(table));
    for (const Plot& plot : section.plots) part["plots"].push_back(plot_json(plot));
    json["sections"].push_back(std::move(part));
  }
  return json;
}

Document read_document(const Json& json) {
  Document document;
  document.title = json.at("title").get<std::string>();
  document.started = json.at("started").get<std::string>();
  for (const Json& fact : json.at("facts")) {
    document.facts.emplace_back(fact.at(0).get<std::string>(), fact.at(1).get<std::string>());
  }
  for (const Json& part : json.at("sections")) {
    Section section;
    section.title = part.at("title").get<std::string>();
    section.paragraphs = part.at("paragraphs").get<std::vector<std::string>>();
    for (const Json& table : part.at("tables")) section.tables.push_back(read_table(table));
    for (const Json& plot : part.at("plots")) section.plots.push_back(read_plot(plot));
    document.sections.push_back(std::move(section));
  }
  return document;
}

ReportFile read_report(const Json& json) {
  if (!json.is_object() || json.value("format", "") != kFormat) fail("expected a report of tern");
  if (const int version = json.at("version").get<int>(); version != kVersion) {
    fail("version {} of the format, expected {}", version, kVersion);
  }
  ReportFile file;
  file.conditions = json.at("conditions").get<std::map<std::string, std::string>>();
  for (const auto& [name, measured] : json.at("measurements").items()) {
    Measurement& measurement = file.measurements[name];
    if (measured.contains("problem")) measurement.problem = measured["problem"].get<std::string>();
    measurement.numbers = measured.at("numbers").get<std::map<std::string, double>>();
  }
  file.document = read_document(json.at("report"));
  file.document.is_complete = json.at("complete").get<bool>();
  return file;
}

}  // namespace

std::string report_json(const ReportFile& file) {
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"complete", file.document.is_complete},
               {"conditions", file.conditions},
               {"measurements", Json::object()},
               {"report", document_json(file.document)}};
  for (const auto& [name, measurement] : file.measurements) {
    Json& measured = json["measurements"][name];
    measured = {{"numbers", measurement.numbers}};
    if (!measurement.problem.empty()) measured["problem"] = measurement.problem;
  }
  return json_text(json, 1) + "\n";
}

ReportFile parse_report_json(std::string_view text, const std::string& where) {
  return with_context(where, [&] {
    try {
      return read_report(parse_ordered_json(text));
    } catch (const nlohmann::json::exception& error) {
      fail("{}", error.what());
    }
  });
}

}  // namespace tern
