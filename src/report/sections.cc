#include "report/sections.h"

#include <fmt/core.h>

#include <algorithm>

#include "model/shapes.h"
#include "report/capacity.h"
#include "report/jobs.h"
#include "report/layer_plan.h"
#include "report/numbers.h"
#include "report/published.h"

namespace tern {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMilli = 1e-3;
constexpr std::string_view kScaling =
    "Scaled numbers: of two models of a < b layers, the time of a layer is (t_b - t_a) / (b - a), what does not grow "
    "with the layers (embedding, head) is t_a - a times that, and the whole model's is the latter and all layers. The "
    "smaller model's weights take twice the last-level cache where memory allows it.";

ModelNumber shape_number(const Measurements& all, const std::string& shape, WeightKind kind, const char* number) {
  return model_number(all, model_name(shape, kind), find_shape(shape).layers, number);
}

std::string kind_title(WeightKind kind) { return kind == WeightKind::kTernary ? "ternary" : "BF16 twin"; }

Cell published_cell(double value, int decimals) {
  if (value == 0) return absent_cell();
  return number_cell(value, fmt::format("{:.{}f}", value, decimals), Origin::kPublished);
}

// What a decoder of one sequence of 512 tokens takes, weights and all.
double model_bytes(const ModelConfig& config) {
  const size_t positions = std::min(kThroughputPositions, config.context);
  return static_cast<double>(inference_weight_bytes(config).total() +
                             kv_cache_bytes(config, 1, positions, kInferenceKvType));
}

Cell memory_cell(const ModelConfig& config) {
  const double bytes = model_bytes(config);
  return number_cell(bytes, number_text(bytes / kGiga), Origin::kModelled);
}

const PublishedCost* published_cost(const std::string& shape, bool is_ternary) {
  for (const PublishedCost& row : table1()) {
    if (row.shape == shape && row.is_ternary == is_ternary) return &row;
  }
  return nullptr;
}

const PublishedRatios* published_ratios(const std::string& shape) {
  for (const PublishedRatios& row : figure2()) {
    if (row.shape == shape) return &row;
  }
  return nullptr;
}

Table cost_table(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "Latency and memory, table 1";
  table.columns = {"model",
                   "memory, paper (GB)",
                   "memory, here (GB)",
                   "largest resident (GB)",
                   "latency, paper (ms)",
                   "latency, here (ms)",
                   "tokens/s, here",
                   "reading a prompt, tokens/s",
                   "perplexity, paper"};
  for (const std::string& shape : options.shapes) {
    for (const WeightKind kind : kReportKinds) {
      const PublishedCost* published = published_cost(shape, kind == WeightKind::kTernary);
      const ModelNumber decode = shape_number(all, shape, kind, "decode_s");
      const auto of_paper = [&](double PublishedCost::*number) {
        return published != nullptr ? published_cell(published->*number, 2) : absent_cell();
      };
      table.rows.push_back(
          {text_cell(fmt::format("{} {}", shape, kind_title(kind))), of_paper(&PublishedCost::memory_gb),
           memory_cell(find_shape(shape, kind)), shape_number(all, shape, kind, "peak_bytes").cell(kGiga),
           of_paper(&PublishedCost::latency_ms), decode.cell(kMilli), decode.rate_cell(),
           shape_number(all, shape, kind, "prefill_s").rate_cell(), of_paper(&PublishedCost::perplexity)});
    }
  }
  table.notes = {
      fmt::format("{}, table 1: a GPU, FP16 weights of LLaMA beside BitNet b1.58. Here: a token decoded behind "
                  "few others, with random weights in the same shapes (speed does not depend on their values), "
                  "head and layout of the trits as inference chooses them; the best repetition.",
                  kPaperSource),
      "Memory here is computed: weights as they are packed, and bf16 keys and values of 512 positions. Largest "
      "resident: what the whole process took while it made and measured the model, activations and all, without the "
      "buffer that the machine's bandwidth is read from."};
  return table;
}

Table ratio_table(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "The BF16 twin over ternary, figure 2";
  table.columns = {"size",          "latency, paper", "latency, here",
                   "memory, paper", "memory, here",   "reading a prompt, here"};
  for (const std::string& shape : options.shapes) {
    const PublishedRatios* published = published_ratios(shape);
    const auto of_paper = [&](double PublishedRatios::*number) {
      if (published == nullptr) return absent_cell();
      return number_cell(published->*number, ratio_text(published->*number), Origin::kPublished);
    };
    const auto ratio = [&](const char* number) {
      return ratio_cell(shape_number(all, shape, WeightKind::kFull, number),
                        shape_number(all, shape, WeightKind::kTernary, number));
    };
    const double memory =
        model_bytes(find_shape(shape, WeightKind::kFull)) / model_bytes(find_shape(shape, WeightKind::kTernary));
    table.rows.push_back({text_cell(shape), of_paper(&PublishedRatios::latency), ratio("decode_s"),
                          of_paper(&PublishedRatios::memory),
                          number_cell(memory, ratio_text(memory), Origin::kModelled), ratio("prefill_s")});
  }
  table.notes = {
      fmt::format("{}, figure 2: the labels of its bars as they are commonly quoted; the text says the 4.1x of "
                  "70B, table 1 has 1.3B and 3B.",
                  kPaperSource)};
  return table;
}

Plot size_plot(const ReportOptions& options, const Measurements& all) {
  Plot plot;
  plot.title = "Decoding one token";
  plot.x_label = "parameters, billions";
  plot.y_label = "milliseconds";
  plot.log_x = plot.log_y = true;
  for (const WeightKind kind : kReportKinds) {
    PlotCurve curve;
    curve.label = kind_title(kind);
    for (const std::string& shape : options.shapes) {
      const ModelNumber decode = shape_number(all, shape, kind, "decode_s");
      const double parameters = static_cast<double>(parameter_count(find_shape(shape))) / kGiga;
      if (decode.value && *decode.value > 0) curve.marks.push_back({parameters, *decode.value / kMilli});
    }
    if (!curve.marks.empty()) plot.curves.push_back(std::move(curve));
  }
  return plot;
}

Cell machine_cell(const Measurements& all, const char* rate) {
  const Measurement* machine = find_measurement(all, kMachineName);
  if (machine == nullptr || !machine->has(rate)) return missing_cell("not measured yet");
  return number_cell(machine->at(rate), number_text(machine->at(rate) / kGiga), Origin::kMeasured);
}

// A share of the machine's rates: of the larger model measured.
Cell share_cell(const Measurements& all, const std::string& shape, WeightKind kind, const char* number) {
  const std::string name = model_name(shape, kind);
  const Measurement* plan = find_measurement(all, plan_name(name));
  if (plan == nullptr || !plan->has("more")) return missing_cell(plan == nullptr ? "not measured yet" : plan->problem);
  const auto layers = static_cast<size_t>(plan->at("more"));
  const Measurement* measured = find_measurement(all, layers_name(name, layers));
  if (measured == nullptr || !measured->has(number)) {
    return missing_cell(measured == nullptr ? "not measured yet" : measured->problem);
  }
  const double share = measured->at(number);
  const size_t whole = find_shape(shape).layers;
  return number_cell(share, percent_text(share), Origin::kMeasured,
                     layers == whole ? "" : fmt::format("with {} of {} layers", layers, whole));
}

// The largest batch, and the tokens/s of a pass through it.
std::vector<Cell> throughput_cells(const ReportOptions& options, const Measurements& all, WeightKind kind,
                                   KvType kv_type, ModelNumber& pass_rate) {
  const ModelConfig config = find_shape(options.throughput_shape, kind);
  const Capacity capacity = largest_batch(config, kThroughputPositions, kv_type, options.memory_budget);
  const auto bytes = [](size_t n) {
    return number_cell(static_cast<double>(n), number_text(static_cast<double>(n) / kGiga), Origin::kModelled);
  };
  std::vector<Cell> cells = {bytes(capacity.weight_bytes), bytes(capacity.sequence_bytes)};
  const std::string name = batch_name(options.throughput_shape, kind, kv_type);
  const Measurement* plan = find_measurement(all, plan_name(name));
  if (capacity.sequences == 0) {
    pass_rate.note = plan != nullptr ? plan->problem : "the weights do not fit";
    cells.push_back(missing_cell(pass_rate.note));
    cells.push_back(missing_cell(pass_rate.note));
    return cells;
  }
  const auto largest = static_cast<double>(capacity.sequences);
  cells.push_back(number_cell(largest, std::to_string(capacity.sequences), Origin::kModelled));
  const ModelNumber pass = model_number(all, name, config.layers, "pass_s");
  pass_rate = pass;
  if (pass.value) {
    const double batch = plan->at("batch");
    pass_rate.value = batch / *pass.value;
    if (batch < largest) {
      pass_rate.note +=
          fmt::format("{}at a batch of {:.0f}, which memory and time allow here", pass.note.empty() ? "" : "; ", batch);
    }
  }
  cells.push_back(pass_rate.cell());
  return cells;
}

// "125M", "1.5B" in billions.
double billions(std::string_view size) {
  const double number = std::stod(std::string(size));
  return size.back() == 'M' ? number / 1000 : number;
}

Plot cpu_plot(const ReportOptions& options, const Measurements& all) {
  Plot plot;
  plot.title = "Decoding on CPUs";
  plot.x_label = "parameters, billions";
  plot.y_label = "tokens/s";
  plot.log_x = plot.log_y = true;
  const auto add = [&](const char* label, const auto& speed_of) {
    PlotCurve curve;
    curve.label = label;
    for (const PublishedCpuSpeed& row : cpu_speeds()) {
      const double speed = speed_of(row);
      if (speed > 0) curve.marks.push_back({billions(row.size), speed});
    }
    if (!curve.marks.empty()) plot.curves.push_back(std::move(curve));
  };
  const auto here = [&](WeightKind kind) {
    return [&options, &all, kind](const PublishedCpuSpeed& row) {
      const std::string shape(row.shape);
      if (std::find(options.shapes.begin(), options.shapes.end(), shape) == options.shapes.end()) return 0.0;
      const double seconds = shape_number(all, shape, kind, "decode_s").value.value_or(0);
      return seconds > 0 ? 1 / seconds : 0.0;
    };
  };
  add("here, ternary", here(WeightKind::kTernary));
  add("here, BF16 twin", here(WeightKind::kFull));
  add("bitnet.cpp, i7-13700H", [](const PublishedCpuSpeed& row) { return row.i7_ternary; });
  add("bitnet.cpp, M2 Ultra", [](const PublishedCpuSpeed& row) { return row.m2_ternary; });
  add("llama.cpp FP16, i7-13700H", [](const PublishedCpuSpeed& row) { return row.i7_fp16; });
  return plot;
}

}  // namespace

Cell ModelNumber::cell(double unit) const {
  return value ? number_cell(*value / unit, number_text(*value / unit), origin, note) : missing_cell(note);
}

Cell ModelNumber::rate_cell() const {
  if (!value || *value <= 0) return missing_cell(note);
  return number_cell(1 / *value, number_text(1 / *value), origin, note);
}

ModelNumber model_number(const Measurements& all, const std::string& model, size_t layers, const std::string& number) {
  const Measurement* plan = find_measurement(all, plan_name(model));
  if (plan == nullptr) return {{}, Origin::kNotMeasured, "not measured yet"};
  if (!plan->has("few")) return {{}, Origin::kNotMeasured, plan->problem};
  const auto few = static_cast<size_t>(plan->at("few")), more = static_cast<size_t>(plan->at("more"));
  for (const size_t n : {few, more}) {
    const Measurement* measured = find_measurement(all, layers_name(model, n));
    if (measured == nullptr) return {{}, Origin::kNotMeasured, "not measured yet"};
    if (!measured->has(number)) {
      const std::string& problem = measured->problem;
      return {{}, Origin::kNotMeasured, problem.empty() ? "not measured here" : problem};
    }
  }
  const double of_few = all.at(layers_name(model, few)).at(number),
               of_more = all.at(layers_name(model, more)).at(number);
  if (few == more && more == layers) return {of_more, Origin::kMeasured, ""};
  if (few == more) return {{}, Origin::kNotMeasured, fmt::format("only {} of {} layers", few, layers)};
  const LayerCost cost = layer_cost(few, of_few, more, of_more);
  return {cost.of(layers), Origin::kScaled,
          fmt::format("scaled from {} and {} of {} layers{}", few, more, layers,
                      cost.is_noisy ? ", disturbed by noise" : "")};
}

Cell ratio_cell(const ModelNumber& numerator, const ModelNumber& denominator) {
  if (!numerator.value) return missing_cell(numerator.note);
  if (!denominator.value || *denominator.value <= 0) return missing_cell(denominator.note);
  const double ratio = *numerator.value / *denominator.value;
  const bool is_scaled = numerator.origin == Origin::kScaled || denominator.origin == Origin::kScaled;
  std::string note = numerator.note;
  if (!denominator.note.empty() && denominator.note != note) {
    note += (note.empty() ? "over one " : ", over one ") + denominator.note;
  }
  return number_cell(ratio, ratio_text(ratio), is_scaled ? Origin::kScaled : Origin::kMeasured, note);
}

Section machine_section(const ReportOptions& options, const Measurements& all) {
  Table rates;
  rates.title = "What this machine can do at most";
  rates.columns = {"rate", "here"};
  rates.rows = {{text_cell("reading memory, GB/s"), machine_cell(all, "bandwidth")},
                {text_cell("multiply-adds of int8, billions/s"), machine_cell(all, "integer_peak")},
                {text_cell("multiply-adds of f32, billions/s"), machine_cell(all, "float_peak")}};
  rates.notes = {
      "The best of many short measurements, all threads. bf16 weights are widened and multiplied as f32, whose "
      "rate is therefore the twin's limit."};
  Table shares;
  shares.title = "Shares of it that inference reaches";
  shares.columns = {"model", "bandwidth, decoding", "multiply-adds, reading a prompt"};
  for (const std::string& shape : options.shapes) {
    for (const WeightKind kind : kReportKinds) {
      shares.rows.push_back({text_cell(fmt::format("{} {}", shape, kind_title(kind))),
                             share_cell(all, shape, kind, "bandwidth_share"),
                             share_cell(all, shape, kind, "peak_share")});
    }
  }
  shares.notes = {
      "Of the rates as they were just before and after each repetition, the median. Bytes of a decoded token: "
      "the weights and the head once, keys and values of the mean position. More than 100%: the weights "
      "stay in a cache."};
  return {"The machine", {}, {rates, shares}, {}};
}

Section cost_section(const ReportOptions& options, const Measurements& all) {
  Section section = {
      "Latency and memory", {std::string(kScaling)}, {cost_table(options, all), ratio_table(options, all)}, {}};
  Plot plot = size_plot(options, all);
  if (!plot.curves.empty()) section.plots.push_back(std::move(plot));
  return section;
}

Section cpu_section(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "Decoding on CPUs, tokens/s";
  table.columns = {"size",           "i7-13700H, FP16",      "i7-13700H, bitnet.cpp",
                   "M2 Ultra, FP16", "M2 Ultra, bitnet.cpp", "here, BF16 twin",
                   "here, ternary",  "here, ratio"};
  const std::vector<std::string>& shapes = options.shapes;
  for (const PublishedCpuSpeed& row : cpu_speeds()) {
    std::vector<Cell> cells = {text_cell(std::string(row.size)), published_cell(row.i7_fp16, 2),
                               published_cell(row.i7_ternary, 2), published_cell(row.m2_fp16, 2),
                               published_cell(row.m2_ternary, 2)};
    const std::string shape(row.shape);
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) {
      cells.insert(cells.end(), 3, missing_cell("not among the sizes of this report"));
    } else {
      const ModelNumber full = shape_number(all, shape, WeightKind::kFull, "decode_s");
      const ModelNumber ternary = shape_number(all, shape, WeightKind::kTernary, "decode_s");
      cells.insert(cells.end(), {full.rate_cell(), ternary.rate_cell(), ratio_cell(full, ternary)});
    }
    table.rows.push_back(std::move(cells));
  }
  table.notes = {
      "arXiv 2410.16144 and the repository's pictures: random weights, llama.cpp in FP16 beside bitnet.cpp's "
      "kernels, on other machines than this one."};
  return {"Beside bitnet.cpp on CPUs", {}, {table}, {cpu_plot(options, all)}};
}

Section throughput_section(const ReportOptions& options, const Measurements& all) {
  Table table;
  const std::string& shape = options.throughput_shape;
  table.title = fmt::format("{} within {} of memory, sequences of {} tokens, table 3", shape,
                            bytes_text(options.memory_budget), kThroughputPositions);
  table.columns = {"model",         "keys and values", "weights (GB)", "a sequence (GB)",
                   "largest batch", "tokens/s, here",  "batch, paper", "tokens/s, paper"};
  for (const KvType kv_type : kReportKvTypes) {
    std::array<ModelNumber, 2> rates;
    for (size_t k = 0; k < rates.size(); ++k) {
      const WeightKind kind = kReportKinds[k];
      std::vector<Cell> cells = {text_cell(kind_title(kind)), text_cell(std::string(kv_type_name(kv_type)))};
      const std::vector<Cell> measured = throughput_cells(options, all, kind, kv_type, rates[k]);
      cells.insert(cells.end(), measured.begin(), measured.end());
      for (const PublishedThroughput& row : table3()) {
        if (row.is_ternary != (kind == WeightKind::kTernary)) continue;
        if (shape != kThroughputShape || kv_type != KvType::kBF16) {
          cells.insert(cells.end(), 2, absent_cell());
        } else {
          cells.push_back(published_cell(static_cast<double>(row.largest_batch), 0));
          cells.push_back(published_cell(row.tokens_per_second, 0));
        }
      }
      table.rows.push_back(std::move(cells));
    }
    const bool of_paper = shape == kThroughputShape && kv_type == KvType::kBF16;
    std::vector<Cell> ratio = {text_cell("ternary over twin"), text_cell(std::string(kv_type_name(kv_type)))};
    ratio.insert(ratio.end(), 3, text_cell(""));
    ratio.push_back(ratio_cell(rates[0], rates[1]));
    ratio.push_back(of_paper ? number_cell(11.0, "11.0x", Origin::kPublished) : text_cell(""));
    ratio.push_back(of_paper ? number_cell(8.9, "8.9x", Origin::kPublished) : text_cell(""));
    table.rows.push_back(std::move(ratio));
  }
  table.notes = {
      fmt::format("{}, table 3: two GPUs of 80 GB, pipeline parallel.", kPaperSource),
      "The largest batch is computed: weights as inference packs them, and for every sequence keys and values of 512 "
      "positions, activations and logits. tokens/s: passes that decode one token of every sequence behind 256 others "
      "(the mean of a sequence), as many layers as the notes say and scaled as above; a machine with that memory has "
      "its own bandwidth."};
  return {"Throughput", {}, {table}, {}};
}

Section package_energy_section(const ReportOptions& options, const Measurements& all) {
  Table table;
  table.title = "Energy of a decoded token, joules";
  table.columns = {
      "size",          "i7, FP16",   "i7, bitnet.cpp", "M2 Ultra, FP16", "M2 Ultra, bitnet.cpp", "here, BF16 twin",
      "here, ternary", "here, ratio"};
  const Measurement* counters = find_measurement(all, kEnergyName);
  const std::string problem = counters != nullptr ? counters->problem : "not measured yet";
  for (const std::string& shape : options.shapes) {
    PublishedCpuEnergy published;
    for (const PublishedCpuEnergy& row : cpu_energies()) {
      if (row.shape == shape) published = row;
    }
    std::vector<Cell> cells = {text_cell(shape), published_cell(published.i7_fp16, 3),
                               published_cell(published.i7_ternary, 3), published_cell(published.m2_fp16, 3),
                               published_cell(published.m2_ternary, 3)};
    if (!problem.empty()) {
      cells.insert(cells.end(), 3, missing_cell(problem));
    } else {
      const ModelNumber full = shape_number(all, shape, WeightKind::kFull, "decode_joules");
      const ModelNumber ternary = shape_number(all, shape, WeightKind::kTernary, "decode_joules");
      cells.insert(cells.end(), {full.cell(), ternary.cell(), ratio_cell(full, ternary)});
    }
    table.rows.push_back(std::move(cells));
  }
  table.notes = {
      "arXiv 2410.16144. Here: all packages' counters (RAPL, through powercap) over each repetition, the median; "
      "whatever else the packages do in that time is in it."};
  return {"Energy, measured", {}, {table}, {}};
}

}  // namespace tern
