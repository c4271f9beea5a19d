// Training takes as much memory for a large corpus as for a small one.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "support/temporary_directory.h"
#include "train/trainer.h"

namespace tern::test {
namespace {

void write_corpus(const std::filesystem::path& path, size_t bytes) {
  const char* words[] = {"the ", "bird ", "is ", "small ", "and ", "quick ", "over ", "sea ", "it ", "flies\n"};
  Rng rng(1);
  std::ofstream file(path);
  for (size_t size = 0; size < bytes;) {
    const std::string word = words[rng.below(10)];
    file << word;
    size += word.size();
  }
}

TrainOptions options_for(const std::filesystem::path& data) {
  TrainOptions o;
  o.model.dim = 64;
  o.model.layers = 1;
  o.model.heads = o.model.kv_heads = 2;
  o.model.head_dim = 32;
  o.model.ffn = 64;
  o.model.weights = WeightKind::kTernary;
  o.data = {data.string()};
  o.tokenizer = "char";
  o.valid_fraction = 0.02;
  o.context = 32;
  o.batch = 64;
  o.schedule.steps = 60;  // 3,840 samples: most blocks of the large corpus
  o.schedule.peak = 1e-3;
  o.valid_every = 0;
  return o;
}

// The largest resident size, in bytes, of a process that trains on `data`.
size_t peak_of_training(const std::filesystem::path& data, const std::filesystem::path& run) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      set_log_level(LogLevel::kWarning);
      Threads threads(1);
      const TrainReport report = start_training(options_for(data), run, {}, threads);
      status = report.steps == 60 ? 0 : 2;
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    ::_exit(status);
  }
  int status = 0;
  struct rusage usage {};
  EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

TEST(Memory, ALargeCorpusTakesNoMoreThanASmallOne) {
  const TemporaryDirectory directory;
  constexpr size_t kMiB = size_t{1} << 20;
  write_corpus(directory / "small.txt", 8 * kMiB);
  write_corpus(directory / "large.txt", 64 * kMiB);
  const size_t small = peak_of_training(directory / "small.txt", directory / "small");
  const size_t large = peak_of_training(directory / "large.txt", directory / "large");
  EXPECT_GT(std::filesystem::file_size(directory / "large/train-1.tok"), 120 * kMiB);
  RecordProperty("small_bytes", std::to_string(small));
  RecordProperty("large_bytes", std::to_string(large));
  EXPECT_LT(small, 64 * kMiB);
  EXPECT_LT(large, small + 4 * kMiB) << "small: " << small << ", large: " << large;
}

}  // namespace
}  // namespace tern::test
