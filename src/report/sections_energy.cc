#include <fmt/core.h>

#include "model/shapes.h"
#include "report/energy_model.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace tern {
namespace {

Cell modelled(double value, std::string text) { return number_cell(value, std::move(text), Origin::kModelled); }
Cell published(double value, std::string text) { return number_cell(value, std::move(text), Origin::kPublished); }

Table operation_table() {
  Table table;
  table.title = "Energy of one operation, picojoules";
  table.columns = {"operation", "add, 45 nm", "add, 7 nm", "multiply, 45 nm", "multiply, 7 nm"};
  const auto row = [&](const char* name, OperationEnergy ProcessNode::*kind) {
    const auto cell = [](double pj) { return published(pj, fmt::format("{}", pj)); };
    table.rows.push_back({text_cell(name), cell((k45nm.*kind).add_pj), cell((k7nm.*kind).add_pj),
                          cell((k45nm.*kind).multiply_pj), cell((k7nm.*kind).multiply_pj)});
  };
  row("FP32", &ProcessNode::fp32);
  row("FP16", &ProcessNode::fp16);
  row("INT8", &ProcessNode::int8);
  table.notes = {std::string(kEnergySources)};
  return table;
}

Table product_table() {
  Table table;
  table.title = "Products of matrices: FP16 over ternary";
  table.columns = {"process", "a multiply-add over an addition", "4096 x 4096, 512 tokens, with scales", "paper"};
  const ProductSize size = {kEnergyTokens, 4096, 4096};
  for (const ProcessNode* node : {&k45nm, &k7nm}) {
    const double ratio = product_ratio(*node);
    const double whole = float_product_pj(size, node->fp16) / ternary_product_pj(size, *node);
    table.rows.push_back({text_cell(std::string(node->name)), modelled(ratio, fmt::format("{:.1f}x", ratio)),
                          modelled(whole, fmt::format("{:.1f}x", whole)),
                          node == &k7nm ? published(71.4, "71.4x") : absent_cell()});
  }
  table.notes = {
      "71.4 is (add + multiply of FP16) / (add of INT8) at 7 nm: (0.16 + 0.34) / 0.007. With the papers' "
      "formulas for a product of (m, n) and (n, p), m (n - 1) p additions and m n p multiplications, of which "
      "a ternary one has the additions in INT8 and (m p + m n) multiplications in FP16 for the scales, it is "
      "a little less."};
  return table;
}

std::string ratio_of_one_digit(double ratio) { return fmt::format("{:.1f}x", ratio); }

// A size and, at 7 nm, the joules of a pass in both kinds of weights and their ratio.
std::vector<Cell> pass_cells(std::string_view name, const EnergyShape& shape) {
  std::vector<Cell> cells = {text_cell(std::string(name))};
  for (const bool is_ternary : {false, true}) {
    const double joules = pass_joules(shape, kEnergyTokens, k7nm, is_ternary);
    cells.push_back(modelled(joules, number_text(joules)));
  }
  const double ratio = pass_ratio(shape, kEnergyTokens, k7nm);
  cells.push_back(modelled(ratio, ratio_of_one_digit(ratio)));
  return cells;
}

void add_ratio_columns(Table& table) {
  table.columns.insert(table.columns.end(),
                       {"linear layers alone, 7 nm", "ratio, 45 nm", "linear layers alone, 45 nm"});
}

void add_ratio_cells(const EnergyShape& shape, std::vector<Cell>& cells) {
  for (const double ratio : {linear_ratio(shape, kEnergyTokens, k7nm), pass_ratio(shape, kEnergyTokens, k45nm),
                             linear_ratio(shape, kEnergyTokens, k45nm)}) {
    cells.push_back(modelled(ratio, ratio_of_one_digit(ratio)));
  }
}

Table pass_table() {
  Table table;
  table.title = "End to end, 512 tokens, figure 3";
  table.columns = {"size", "FP16 (J)", "ternary (J)", "ratio, 7 nm", "ratio, paper"};
  add_ratio_columns(table);
  for (const PublishedEnergyRatio& row : figure3()) {
    std::vector<Cell> cells = pass_cells(row.shape.name, row.shape);
    cells.push_back(published(row.ratio, ratio_of_one_digit(row.ratio)));
    add_ratio_cells(row.shape, cells);
    table.rows.push_back(std::move(cells));
  }
  table.notes = {
      "arXiv 2402.17764, figure 3: the labels of its bars as they are commonly quoted. The paper does not say what is "
      "counted. Reconstructed: linear layers as above; scores and sums of attention in FP16 in both, every token with "
      "all 512 (no causal mask); no embedding, head, norm or softmax; the shapes of BitNet (arXiv 2310.11453: 12 dim^2 "
      "weights a layer), whose 3B has 32 layers of 2560. The 3B and 70B of the paper's other tables give other "
      "ratios."};
  return table;
}

Table b2b4t_table() {
  Table table;
  table.title = "The same model for 2B4T's table";
  table.columns = {"model", "here (J)", "paper (J)"};
  for (const PublishedJoules& row : b2b4t_energy()) {
    const double joules = pass_joules(row.shape, kEnergyTokens, k7nm, row.is_ternary);
    table.rows.push_back({text_cell(std::string(row.shape.name)), modelled(joules, fmt::format("{:.3f}", joules)),
                          published(row.joules, fmt::format("{:.3f}", row.joules))});
  }
  table.notes = {"arXiv 2504.12285, table 1, with the models' published shapes."};
  return table;
}

EnergyShape shape_of(std::string_view name, const ModelConfig& config) {
  const auto number = [](size_t n) { return static_cast<double>(n); };
  return {name,
          number(config.dim),
          number(config.layers),
          number(config.heads),
          number(config.kv_heads),
          number(config.head_dim),
          number(config.ffn),
          3};
}

Table sizes_table(const ReportOptions& options) {
  Table table;
  table.title = "The same model for the sizes of this report";
  table.columns = {"size", "FP16 (J)", "ternary (J)", "ratio, 7 nm"};
  add_ratio_columns(table);
  for (const std::string& name : options.shapes) {
    const EnergyShape shape = shape_of(name, find_shape(name));
    std::vector<Cell> cells = pass_cells(name, shape);
    add_ratio_cells(shape, cells);
    table.rows.push_back(std::move(cells));
  }
  table.notes = {"512 tokens, the shapes that are measured above."};
  return table;
}

Plot ratio_plot() {
  Plot plot;
  plot.title = "FP16 over ternary, end to end";
  plot.x_label = "width of the model";
  plot.y_label = "energy ratio, 7 nm";
  plot.log_x = true;
  plot.curves = {{"model", {}, {}}, {"paper", {}, {}}};
  for (const PublishedEnergyRatio& row : figure3()) {
    plot.curves[0].marks.push_back({row.shape.dim, pass_ratio(row.shape, kEnergyTokens, k7nm)});
    plot.curves[1].marks.push_back({row.shape.dim, row.ratio});
  }
  return plot;
}

}  // namespace

Section energy_model_section(const ReportOptions& options) {
  return {
      "Energy, by the papers' arithmetic model",
      {"Arithmetic alone, without any traffic of memory: what these ratios say of a machine is what its additions and "
       "multiplications would take."},
      {operation_table(), product_table(), pass_table(), b2b4t_table(), sizes_table(options)},
      {ratio_plot()}};
}

}  // namespace tern
