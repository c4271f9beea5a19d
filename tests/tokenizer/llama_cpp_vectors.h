// Vectors of llama.cpp: texts and the ids that its tokenizers give them.
#pragma once

#include <fstream>
#include <iterator>
#include <sstream>

#include "base/file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {

inline std::vector<std::string> lines_of(const std::string& name) {
  std::vector<std::string> lines;
  std::ifstream file(data_path(name));
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// llama.cpp's vectors: texts with a separator between, and one line of ids for each, without BOS or special tokens.
inline void expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  const std::string input = read_file(data_path(name + ".inp"));
  const std::vector<std::string> output = lines_of(name + ".out");
  size_t begin = 0, count = 0;
  for (; begin <= input.size() && count < output.size(); ++count) {
    const size_t end = std::min(input.find(kSeparator, begin), input.size());
    const std::string text = input.substr(begin, end - begin);
    std::istringstream numbers(output[count]);
    const std::vector<int32_t> expected{std::istream_iterator<int32_t>(numbers), {}};
    EXPECT_EQ(tokenizer.encode(text, false, false), expected)
        << name << " case " << count << ": " << testing::PrintToString(text);
    EXPECT_EQ(tokenizer.decode(expected), text) << name << " case " << count;
    begin = end + kSeparator.size();
  }
  EXPECT_EQ(count, output.size());
  EXPECT_GE(count, 46u);
}

}  // namespace tern
