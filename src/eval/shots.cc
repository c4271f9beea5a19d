#include "eval/shots.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace tern {

Shots::Shots(const TaskDefinition& task, const QuestionMaker& maker, const TaskRows& rows, std::string where,
             size_t count, uint64_t seed)
    : task_(task),
      maker_(maker),
      rows_(rows),
      where_(std::move(where)),
      count_(count),
      random_(seed),
      texts_(rows.rows.size()) {
  const size_t needed = count == 0 || !task.shots.excludes_question ? count : count + 1;
  if (needed > texts_.size()) {
    fail("{}: expected at least {} rows to take {} examples from, there are {}", where_, needed, count, texts_.size());
  }
}

std::vector<size_t> Shots::draw(const nlohmann::ordered_json& question) {
  const auto is_question = [&](size_t row) { return task_.shots.excludes_question && rows_.rows[row] == question; };
  std::vector<size_t> drawn(rows_.rows.size());
  std::iota(drawn.begin(), drawn.end(), size_t{0});
  if (task_.shots.sampler == ShotSampler::kRandom) {
    drawn = random_.sample(drawn.size(), count_ + (task_.shots.excludes_question ? 1 : 0));
  }
  drawn.erase(std::remove_if(drawn.begin(), drawn.end(), is_question), drawn.end());
  if (drawn.size() < count_) {
    // Only rows that are there several times come here: the harness draws anew from all others.
    std::vector<size_t> others(rows_.rows.size());
    std::iota(others.begin(), others.end(), size_t{0});
    others.erase(std::remove_if(others.begin(), others.end(), is_question), others.end());
    if (others.size() < count_) fail("{}: expected {} rows that differ from the question", where_, count_);
    drawn.clear();
    for (const size_t i : random_.sample(others.size(), count_)) drawn.push_back(others[i]);
  }
  drawn.resize(count_);
  return drawn;
}

const std::string& Shots::text(size_t row) {
  std::optional<std::string>& text = texts_[row];
  if (!text) {
    const std::string place = fmt::format("{}: {} {}", where_, rows_.unit, rows_.lines[row]);
    text = with_context(place, [&] { return maker_.shot(rows_.rows[row]); });
  }
  return *text;
}

std::string Shots::next(const nlohmann::ordered_json& question) {
  std::string all;
  if (count_ == 0) return all;
  for (const size_t row : draw(question)) all += text(row);
  return all;
}

}  // namespace tern
