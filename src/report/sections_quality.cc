#include <fmt/core.h>

#include "report/jobs.h"
#include "report/numbers.h"
#include "report/published.h"
#include "report/sections.h"

namespace tern {
namespace {

constexpr double kPercent = 100;

std::string model_title(const ReportOptions& options, const std::filesystem::path& model) {
  return without_folders(options, model.string());
}

std::string text_note(const ReportOptions& options) {
  const std::string part =
      options.text_bytes == 0 ? "" : fmt::format(" (at most the first {})", bytes_text(options.text_bytes));
  return fmt::format("Text: {}{}.", options.text.filename().string(), part);
}

const std::string kNoModels = "no --model was given";

Table perplexity_table(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "Perplexity";
  table.columns = {"model", "convention", "perplexity", "bits a byte", "nats a token", "tokens"};
  for (const std::filesystem::path& model : options.models) {
    for (const std::string& convention : report_conventions()) {
      std::vector<Cell> row = {text_cell(model_title(options, model)), text_cell(convention)};
      const Measurement* m = find_measurement(all, perplexity_name(model, convention));
      if (m != nullptr && m->has("perplexity")) {
        for (const char* number : {"perplexity", "bits_per_byte", "loss"}) {
          row.push_back(number_cell(m->at(number), fmt::format("{:.4f}", m->at(number)), Origin::kMeasured));
        }
        row.push_back(number_cell(m->at("tokens"), fmt::format("{:.0f}", m->at("tokens")), Origin::kMeasured));
      } else {
        const std::string why = options.text.empty() ? "no --text was given"
                                : m == nullptr       ? "not measured yet"
                                                     : without_folders(options, m->problem);
        row.insert(row.end(), 4, missing_cell(why));
      }
      table.rows.push_back(std::move(row));
    }
  }
  if (options.models.empty()) {
    table.rows.push_back({text_cell("models here"), text_cell("")});
    table.rows.back().insert(table.rows.back().end(), 4, missing_cell(kNoModels));
  }
  for (const PublishedCost& row : table1()) {
    table.rows.push_back({text_cell(fmt::format("{} {}", row.is_ternary ? "BitNet b1.58" : "LLaMA", row.size)),
                          text_cell("WikiText2 and C4"),
                          number_cell(row.perplexity, fmt::format("{:.2f}", row.perplexity), Origin::kPublished),
                          text_cell(""), text_cell(""), text_cell("")});
  }
  table.notes = {
      fmt::format("{}, table 1: 100B tokens of RedPajama; how it combines the two texts it does not say. "
                  "Perplexities of different tokenizers, texts or conventions do not compare; bits a byte of "
                  "one text do.",
                  kPaperSource)};
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
    table.rows.back().insert(table.rows.back().end(), table.columns.size() - 1, missing_cell(kNoModels));
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
