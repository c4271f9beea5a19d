// samples.jsonl: what the model writes while it is trained, one JSON object a line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace tern {

struct TrainingSample {
  int64_t steps = 0;  // made before it
  std::string prompt;
  std::string text;  // the answer
  size_t tokens = 0;
  std::string_view stop_reason;
};

class SampleLog {
 public:
  explicit SampleLog(std::filesystem::path path) : path_(std::move(path)) {}
  ~SampleLog();
  SampleLog(const SampleLog&) = delete;
  SampleLog& operator=(const SampleLog&) = delete;

  // Appends a line. Before the first one, lines of as many steps and more, which a run that was killed after its
  // checkpoint left behind, and broken ones are taken out of the file. Error when it cannot be written.
  void add(const TrainingSample& sample);

 private:
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

// Names in the training directory.
inline constexpr const char* kSamplesFile = "samples.jsonl";

}  // namespace tern
