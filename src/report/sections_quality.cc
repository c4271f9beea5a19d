#include <fmt/core.h>

#include "eval/perplexity.h"
#include "report/jobs.h"
#include "report/numbers.h"
#include "report/published.h"
#include "report/sections.h"

namespace tern {
namespace {

constexpr double kPercent = 100;
constexpr double kLargest = 1e6;  // that is written without an exponent

std::string model_title(const ReportOptions& options, const std::filesystem::path& model) {
  return without_folders(options, model.string());
}

std::string text_note(const ReportOptions& options) {
  const std::string part =
      options.text_bytes == 0 ? "" : fmt::format(" (at most the first {})", bytes_text(options.text_bytes));
  return fmt::format("Text: {}{}.", options.text.filename().string(), part);
}

const std::string kNoModels = "no --model was given";

// What is measured in a convention: perplexity, of words, of bytes, bits a byte, nats a token, tokens, their windows.
std::vector<Cell> perplexity_cells(const Measurement& m, const std::string& convention) {
  std::vector<Cell> cells;
  for (const char* number : {"perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "loss"}) {
    if (!m.has(number)) {
      cells.push_back(absent_cell());
      continue;
    }
    const double value = m.at(number);
    cells.push_back(number_cell(value, value < kLargest ? fmt::format("{:.4f}", value) : fmt::format("{:.4g}", value),
                                Origin::kMeasured));
  }
  const size_t usual = usual_context(parse_convention(convention));
  const std::string note = m.at("context") < static_cast<double>(usual)
                               ? fmt::format("the model's context; the convention's windows have {} tokens", usual)
                               : "";
  cells.push_back(number_cell(m.at("tokens"), fmt::format("{:.0f}", m.at("tokens")), Origin::kMeasured));
  cells.push_back(number_cell(m.at("context"), fmt::format("{:.0f}", m.at("context")), Origin::kNone, note));
  return cells;
}

void append_missing(std::string why, size_t columns, std::vector<Cell>& row) {
  row.insert(row.end(), columns - row.size(), missing_cell(std::move(why)));
}

Table perplexity_table(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "Perplexity";
  table.columns = {"model",       "convention",   "perplexity", "of a word",         "of a byte",
                   "bits a byte", "nats a token", "tokens",     "tokens in a window"};
  const size_t columns = table.columns.size();
  for (const std::filesystem::path& model : options.models) {
    for (const std::string& convention : report_conventions()) {
      std::vector<Cell> row = {text_cell(model_title(options, model)), text_cell(convention)};
      const Measurement* m = find_measurement(all, perplexity_name(model, convention));
      if (m != nullptr && m->has("perplexity")) {
        const std::vector<Cell> cells = perplexity_cells(*m, convention);
        row.insert(row.end(), cells.begin(), cells.end());
      } else {
        append_missing(options.text.empty() ? "no --text was given"
                       : m == nullptr       ? "not measured yet"
                                            : without_folders(options, m->problem),
                       columns, row);
      }
      table.rows.push_back(std::move(row));
    }
  }
  if (options.models.empty()) {
    table.rows.push_back({text_cell("models here"), text_cell("")});
    append_missing(kNoModels, columns, table.rows.back());
  }
  for (const PublishedCost& row : table1()) {
    table.rows.push_back({text_cell(fmt::format("{} {}", row.is_ternary ? "BitNet b1.58" : "LLaMA", row.size)),
                          text_cell("WikiText2 and C4"),
                          number_cell(row.perplexity, fmt::format("{:.2f}", row.perplexity), Origin::kPublished)});
    table.rows.back().resize(columns, text_cell(""));
  }
  table.notes = {
      fmt::format("{}, table 1: 100B tokens of RedPajama; how it combines the two texts it does not say. "
                  "Perplexities of different tokenizers, texts or conventions do not compare; bits a byte of "
                  "one text do.",
                  kPaperSource),
      "Conventions: tern, the model's context without overlap, every token but the first predicted; gptq (LLaMA's "
      "quantizations), windows of 2048 tokens, all but their first predicted; llama.cpp, windows of 512, their second "
      "half predicted; lm-eval, the harness's rolling windows, every token predicted."};
  if (!options.text.empty()) table.notes.push_back(text_note(options));
  return table;
}

// The accuracy that a table has, in percent.
ModelNumber accuracy(const Measurements& all, const std::filesystem::path& model, const std::string& task,
                     AccuracyKind kind) {
  const Measurement* m = find_measurement(all, task_name(model, task));
  if (m == nullptr) return {{}, Origin::kNotMeasured, "not measured yet"};
  if (!m->has("acc")) return {{}, Origin::kNotMeasured, m->problem};
  const double plain = m->at("acc"), normed = m->has("acc_norm") ? m->at("acc_norm") : plain;
  const double value = kind == AccuracyKind::kPlain    ? plain
                       : kind == AccuracyKind::kNormed ? normed
                                                       : (plain + normed) / 2;
  const char* name = kind == AccuracyKind::kNormed && m->has("acc_norm") ? "acc_norm_stderr" : "acc_stderr";
  const std::string error = m->has(name) ? fmt::format(" ± {:.1f}", kPercent * m->at(name)) : "";
  return {kPercent * value, Origin::kMeasured, fmt::format("of {:.0f} questions{}", m->at("questions"), error)};
}

std::vector<Cell> model_row(const ReportOptions& options, const Measurements& all, const PublishedScores& scores,
                            const std::filesystem::path& model) {
  std::vector<Cell> row = {text_cell(model_title(options, model))};
  double sum = 0;
  size_t count = 0;
  for (const std::string_view task : scores.tasks) {
    if (options.data.empty()) {
      row.push_back(missing_cell("no --data was given"));
      continue;
    }
    const ModelNumber number = accuracy(all, model, std::string(task), scores.kind);
    row.push_back(number.value
                      ? number_cell(*number.value, fmt::format("{:.2f}", *number.value), number.origin, number.note)
                      : missing_cell(without_folders(options, number.note)));
    sum += number.value.value_or(0);
    if (number.value) ++count;
  }
  if (!scores.has_average) return row;
  const double mean = sum / static_cast<double>(scores.tasks.size());
  row.push_back(count == scores.tasks.size() ? number_cell(mean, fmt::format("{:.2f}", mean), Origin::kMeasured)
                                             : missing_cell("not of all its tasks"));
  return row;
}

Table score_table(const ReportOptions& options, const Measurements& all, const PublishedScores& scores) {
  Table table;
  table.title = std::string(scores.title);
  table.columns = {"model"};
  for (const std::string_view task : scores.tasks) table.columns.emplace_back(task);
  if (scores.has_average) table.columns.emplace_back("mean");
  for (const std::filesystem::path& model : options.models)
    table.rows.push_back(model_row(options, all, scores, model));
  if (options.models.empty()) {
    table.rows.push_back({text_cell("models here")});
    append_missing(kNoModels, table.columns.size(), table.rows.back());
  }
  for (const PublishedScores::Row& published : scores.rows) {
    std::vector<Cell> row = {text_cell(std::string(published.model))};
    for (const double score : published.scores) {
      row.push_back(number_cell(score, fmt::format("{:.{}f}", score, scores.decimals), Origin::kPublished));
    }
    table.rows.push_back(std::move(row));
  }
  table.notes = {std::string(scores.source), "Here: 0-shot, prompts and scores as lm-evaluation-harness has them."};
  return table;
}

}  // namespace

Section quality_section(const ReportOptions& options, const Measurements& all) {
  Section section;
  section.title = "Quality";
  section.tables.push_back(perplexity_table(options, all));
  for (const PublishedScores& scores : score_tables()) section.tables.push_back(score_table(options, all, scores));
  return section;
}

}  // namespace tern
