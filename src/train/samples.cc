#include "train/samples.h"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tern {
namespace {

std::string lines_before(std::string_view text, int64_t steps) {
  std::string kept;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() == text.size()) break;  // the writer was killed inside this line
    text.remove_prefix(line.size() + 1);
    const nlohmann::json json = try_parse_json(line);
    const bool counts = json.is_object() && json.contains("steps") && json["steps"].is_number_integer();
    if (counts && json["steps"].get<int64_t>() < steps) kept.append(line).append("\n");
  }
  return kept;
}

}  // namespace

SampleLog::~SampleLog() {
  if (file_ != nullptr) std::fclose(file_);
}

void SampleLog::add(const TrainingSample& s) {
  if (file_ == nullptr) {
    write_file(path_, std::filesystem::exists(path_) ? lines_before(read_file(path_), s.steps) : std::string());
    file_ = std::fopen(path_.c_str(), "a");
    if (file_ == nullptr) fail("{}: cannot open for writing: {}", path_.string(), std::strerror(errno));
  }
  const nlohmann::ordered_json json = {
      {"steps", s.steps}, {"prompt", s.prompt}, {"text", s.text}, {"tokens", s.tokens}, {"stop_reason", s.stop_reason}};
  const std::string line = json_text(json) + "\n";
  const bool written = std::fputs(line.c_str(), file_) >= 0 && std::fflush(file_) == 0;
  if (!written) fail("{}: write failed: {}", path_.string(), std::strerror(errno));
}

}  // namespace tern
