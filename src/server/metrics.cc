#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace tern {

void Histogram::add(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<size_t>(bucket)];
  sum_ += value;
  ++count_;
}

void Histogram::write(const std::string& name, const std::string& label, std::string& text) const {
  text += fmt::format("# TYPE {} histogram\n", name);
  uint64_t total = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    total += counts_[i];
    text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, label, bounds_[i], total);
  }
  text += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, label, count_);
  text += fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, label, sum_, name, label, count_);
}

std::string Metrics::text(const Batcher::State& state, size_t waiting, const std::string& model) const {
  std::string escaped;
  for (const char c : model) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  const std::string label = "model_name=\"" + escaped + "\"";
  std::string text;
  const auto both = [&](const char* type, std::string_view ours, std::string_view vllm, double value) {
    for (const auto& name : {fmt::format("tern_{}", ours), vllm.empty() ? "" : fmt::format("vllm:{}", vllm)}) {
      if (!name.empty()) text += fmt::format("# TYPE {} {}\n{}{{{}}} {}\n", name, type, name, label, value);
    }
  };
  const auto count = [](uint64_t value) { return static_cast<double>(value); };
  both("gauge", "requests_running", "num_requests_running", count(state.running));
  both("gauge", "requests_waiting", "num_requests_waiting", count(waiting));
  both("gauge", "kv_cache_usage", "kv_cache_usage_perc",
       count(state.used_pages) / count(std::max<size_t>(state.pages, 1)));
  both("counter", "passes_total", "", count(state.passes));
  both("counter", "preemptions_total", "num_preemptions_total", count(state.preemptions));
  both("counter", "prompt_tokens_total", "prompt_tokens_total", count(prompt_tokens));
  both("counter", "prompt_tokens_cached_total", "prefix_cache_hits_total", count(cached_tokens));
  both("counter", "generated_tokens_total", "generation_tokens_total", count(generated_tokens));
  for (const auto* prefix : {"tern_requests_finished_total", "vllm:request_success_total"}) {
    text += fmt::format("# TYPE {} counter\n", prefix);
    for (const auto& [reason, times] : finished) {
      text += fmt::format("{}{{{},finished_reason=\"{}\"}} {}\n", prefix, label, reason, times);
    }
  }
  text += "# TYPE tern_http_responses_total counter\n";
  for (const auto& [status, times] : responses) {
    text += fmt::format("tern_http_responses_total{{status=\"{}\"}} {}\n", status, times);
  }
  for (const auto* prefix : {"tern_", "vllm:"}) {
    const std::string p = prefix;
    time_to_first_token.write(p + "time_to_first_token_seconds", label, text);
    inter_token.write(p + (p == "tern_" ? "inter_token_latency_seconds" : "time_per_output_token_seconds"), label,
                      text);
    latency.write(p + "e2e_request_latency_seconds", label, text);
    prompt_size.write(p + "request_prompt_tokens", label, text);
    answer_size.write(p + "request_generation_tokens", label, text);
  }
  return text;
}

}  // namespace tern
