// Scores that outlive the process: what an interrupted evaluation had finished.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/append_file.h"
#include "base/threads.h"
#include "eval/choice_score.h"
#include "model/weights.h"

namespace tern {

// A hash of all that log-likelihoods of given tokens follow from: configuration, weights, the head's kind, the type of
// keys and values. Nothing else has a part in them, neither threads nor the instruction set.
uint64_t scoring_hash(const Model& model, KvType kv_type, Threads& threads);

// Scores by requests' hashes. The file is a line that says what it is, then a line a score: the model's hash, the
// request's, the log-likelihood's bits, 1 or 0 for greedy, and the CRC-32C of all these, in hexadecimal digits. Lines
// are only ever appended. What is killed while it writes leaves an unfinished last line, which is dropped when the file
// is opened again; scores of other models stay and are not found.
class ScoreCache {
 public:
  // Error for a file that is something else, a damaged line (with its number), and a file that another process uses.
  ScoreCache(const std::filesystem::path& path, uint64_t model);

  // Log-likelihood and greediness; `cut` is left 0.
  std::optional<ChoiceScore> find(uint64_t request) const;
  void add(uint64_t request, const ChoiceScore& score);
  // Writes what was added since.
  void flush();

 private:
  void read(const std::string& text, const std::string& where);

  AppendFile file_;
  uint64_t model_;
  std::unordered_map<uint64_t, ChoiceScore> scores_;  // of this model
  std::string unwritten_;
};

}  // namespace tern
