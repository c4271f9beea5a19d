// Task files of lm-evaluation-harness 0.4, as far as they are data.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tern {

// Whether the definition has the harness's keys (doc_to_text, output_type) and not tern's.
bool is_harness_task(const nlohmann::json& object);

// The same task by tern's keys (docs/evaluation.md). Of the harness's there may be: task, output_type (multiple_choice,
// loglikelihood), dataset_kwargs.data_files, the names of the splits, fewshot_config (split, sampler), num_fewshot,
// fewshot_delimiter, target_delimiter, description, doc_to_text, doc_to_choice, doc_to_target and metric_list (acc,
// acc_norm, perplexity); what only describes is passed over. Error, `where` in front, for any other key, for Python
// code, and for a split without a file.
nlohmann::json from_harness_task(const nlohmann::json& object, const std::string& where);

}  // namespace tern
