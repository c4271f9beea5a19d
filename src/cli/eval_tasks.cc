#include "cli/eval_tasks.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/common.h"
#include "eval/score_cache.h"
#include "eval/task_result.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

struct TasksArguments {
  std::string model;
  std::vector<std::string> tasks;
  std::string data;
  std::string samples;
  std::string cache;
  size_t limit = 0;
  ShotOptions shots;
  size_t context = 0;
  std::string head = "exact";
  std::string kv_type = "f32";
  bool json = false;
  int threads = 0;
};

struct Evaluated {
  TaskDefinition task;
  TaskData data;
  TaskResult result;
};

// A line for each question, with the log-likelihood and whether it is greedy of each choice.
std::string sample_lines(const TaskDefinition& task, const TaskData& data,
                         std::span<const std::vector<ChoiceScore>> scores) {
  std::string lines;
  for (size_t q = 0; q < scores.size(); ++q) {
    const Question& question = data.questions[q];
    ordered_json line = {{"task", task.name}, {"doc_id", q}, {"line", question.line}, {"resps", ordered_json::array()}};
    for (const ChoiceScore& score : scores[q]) line["resps"].push_back({score.log_likelihood, score.is_greedy});
    if (task.is_choice()) {
      line["target"] = question.answer;
      line["acc"] = best_choice(question, scores[q], false) == question.answer ? 1 : 0;
      line["acc_norm"] = best_choice(question, scores[q], true) == question.answer ? 1 : 0;
    } else {
      line["acc"] = scores[q][0].is_greedy ? 1 : 0;
    }
    lines += json_text(line) + "\n";
  }
  return lines;
}

std::string json_of(const TasksArguments& args, std::span<const Evaluated> all, HeadKind head, double tokens_per_s,
                    const ChoiceScorer& scorer) {
  ordered_json results;
  ordered_json versions;
  ordered_json shots;
  ordered_json better;
  ordered_json samples;
  ordered_json cut;
  for (const Evaluated& e : all) {
    ordered_json& result = results[e.task.name];
    result["alias"] = e.task.name;
    for (const Metric& metric : e.result.metrics) {
      result[metric.name + ",none"] = metric.value;
      if (metric.standard_error)
        result[metric.name + "_stderr,none"] = *metric.standard_error;
      else
        result[metric.name + "_stderr,none"] = "N/A";
      better[e.task.name][metric.name] = metric.higher_is_better;
    }
    versions[e.task.name] = e.task.version ? ordered_json(*e.task.version) : ordered_json("N/A");
    shots[e.task.name] = e.data.shots;
    samples[e.task.name] = {{"original", e.data.rows}, {"effective", e.data.questions.size()}};
    cut[e.task.name] = e.result.cut_choices;
  }
  const ordered_json limit = args.limit == 0 ? ordered_json() : ordered_json(args.limit);
  const ordered_json json = {
      {"results", results},
      {"versions", versions},
      {"n-shot", shots},
      {"higher_is_better", better},
      {"n-samples", samples},
      {"config", {{"model", "tern"}, {"model_args", args.model}, {"limit", limit}, {"fewshot_seed", args.shots.seed}}},
      {"truncated_choices", cut},
      {"cached_choices", scorer.cached_choices()},
      {"tokens_read", scorer.tokens_read()},
      {"kv_type", args.kv_type},
      {"kernel", kernels().name},
      {"head", head_kind_name(head)},
      {"tokens_per_second", tokens_per_s}};
  return json_text(json, 2) + "\n";
}

void print_table(std::span<const Evaluated> all) {
  fmt::print("{:<16} {:>9} {:>6}  {:<10} {:>10} {:>10}\n", "task", "questions", "shots", "metric", "value", "stderr");
  for (const Evaluated& e : all) {
    std::string name = e.task.name;
    std::string questions = std::to_string(e.data.questions.size());
    std::string shots = std::to_string(e.data.shots);
    for (const Metric& metric : e.result.metrics) {
      const std::string error = metric.standard_error ? fmt::format("{:.4f}", *metric.standard_error) : "-";
      fmt::print("{:<16} {:>9} {:>6}  {:<10} {:>10.4f} {:>10}\n", name, questions, shots, metric.name, metric.value,
                 error);
      name = questions = shots = "";
    }
  }
  for (const Evaluated& e : all) {
    if (e.result.cut_choices == 0) continue;
    fmt::print("{}: {} choices are longer than the model's context and were cut at their beginning\n", e.task.name,
               e.result.cut_choices);
  }
}

std::vector<std::vector<ChoiceScore>> score_task(const std::string& name, const TaskData& data,
                                                 const Tokenizer& tokenizer, ChoiceScorer& scorer) {
  const auto questions = encode_questions(tokenizer, data);
  Progress progress(name, questions.size(), std::max<size_t>(questions.size() / 10, 1));
  return with_context(data.file.string(), [&] {
    return scorer.score(questions, [&](size_t done) { progress.update(done, "questions"); });
  });
}

void eval_tasks(const TasksArguments& args) {
  const KvType kv_type = kv_type_option(args.kv_type);
  std::vector<Evaluated> all;
  for (const std::string& name : args.tasks) {
    all.push_back({find_task(name), {}, {}});
    const auto is_same = [&](const Evaluated& e) { return e.task.name == all.back().task.name; };
    if (std::count_if(all.begin(), all.end(), is_same) > 1) fail("--tasks: {} is there twice", all.back().task.name);
  }
  for (Evaluated& e : all) e.data = read_questions(e.task, args.data, args.limit, args.shots);
  Threads threads(make_threads(args.threads));
  LoadedModel loaded = load_model(args.model, threads, plain_form, LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  const HeadKind head = choose_head(args.head, 0, threads, loaded.model);
  ChoiceScorer scorer(loaded.model, threads, args.context, kv_type);
  std::optional<ScoreCache> cache;
  if (!args.cache.empty()) {
    cache.emplace(args.cache, scoring_hash(loaded.model, kv_type, threads));
    scorer.use(*cache);
  }
  std::string samples;
  const double start = now_s();
  for (Evaluated& e : all) {
    const auto scores = score_task(e.task.name, e.data, tokenizer, scorer);
    e.result = task_result(e.task, e.data, scores);
    if (!args.samples.empty()) samples += sample_lines(e.task, e.data, scores);
  }
  const double tokens_per_s = static_cast<double>(scorer.tokens_read()) / (now_s() - start);
  if (!args.samples.empty()) write_file(args.samples, samples);
  if (args.json) {
    std::fputs(json_of(args, all, head, tokens_per_s, scorer).c_str(), stdout);
    return;
  }
  print_table(all);
  if (cache) fmt::print("{} choices were in {} already\n", scorer.cached_choices(), args.cache);
  fmt::print("{:.0f} tokens/s ({} kernels, {} head)\n", tokens_per_s, kernels().name, head_kind_name(head));
}

}  // namespace

void add_eval_tasks_command(CLI::App& eval) {
  auto args = std::make_shared<TasksArguments>();
  CLI::App& command = *eval.add_subcommand(
      "tasks", "Questions with known answers, prompts and scores as lm-evaluation-harness has them");
  command.add_option("-m,--model", args->model, "GGUF file, Hugging Face directory or training directory")->required();
  std::string names;
  for (const TaskDefinition& task : builtin_tasks()) names += (names.empty() ? "" : ", ") + task.name;
  command
      .add_option("--tasks", args->tasks,
                  "Separated by commas: " + names + ", or a JSON or YAML file that defines one (docs/evaluation.md)")
      ->delimiter(',')
      ->required();
  command.add_option("--data", args->data, "A folder with the tasks' original files")->required();
  command.add_option("--limit", args->limit, "Only the first N questions of each task; 0: all");
  command.add_option(
      "--fewshot", args->shots.count,
      "Questions with their answers before each question; unless it is given what the task says, mostly 0");
  command.add_option("--fewshot-seed", args->shots.seed, "Which ones")->capture_default_str();
  command.add_option("-c,--context", args->context, "Tokens that a question may have; 0: the model's context");
  command.add_option("--samples", args->samples, "Write every question's scores there, a JSON object a line");
  command.add_option("--cache", args->cache,
                     "Keep finished scores in this file: an interrupted evaluation goes on where it was");
  add_head_option(command, args->head);
  add_kv_type_option(command, args->kv_type);
  command.add_flag("--json", args->json, "Print one JSON object, results as lm-evaluation-harness has them");
  add_threads_option(command, args->threads);
  command.callback([args] { eval_tasks(*args); });
}

}  // namespace tern
