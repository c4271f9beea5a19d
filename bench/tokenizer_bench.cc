// Times of the tokenizer: encoding, decoding, training, and what opening a vocabulary costs. Looks for its data where
// the tests do (TERN_DATA, else ../shared/data); without it every benchmark is an error that says which file is
// missing.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/llama2c_file.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tiktoken_file.h"
#include "tokenizer/tokenizer.h"

namespace tern {
namespace {

std::filesystem::path data_path(const std::string& name) {
  const char* root = std::getenv("TERN_DATA");
  return std::filesystem::path(root != nullptr ? root : "../shared/data") / name;
}

// Runs `body` and turns what it throws into an error of the benchmark.
template <class Body>
void guarded(benchmark::State& state, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    state.SkipWithError(error.what());
  }
}

Vocabulary llama3() { return read_tiktoken(data_path("tok/llama3/tokenizer.model"), llama3_special_tokens()); }
Vocabulary llama2() { return read_llama2c_tokenizer(data_path("tok/llama2/tokenizer.bin"), 32000); }

void count_bytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * static_cast<int64_t>(state.iterations()));
}

void encode(benchmark::State& state, const Vocabulary& vocabulary, const std::string& name) {
  const Tokenizer tokenizer(vocabulary);
  const std::string text = read_file(data_path(name));
  size_t tokens = 0;
  for (auto _ : state) {
    tokens = tokenizer.encode(text, false, false).size();
    benchmark::DoNotOptimize(tokens);
  }
  count_bytes(state, text.size());
  state.counters["tokens"] = static_cast<double>(tokens);
}

void encode_llama3(benchmark::State& state) {
  guarded(state, [&] { encode(state, llama3(), "text/books_kids/part-00.txt"); });
}

void encode_llama2(benchmark::State& state) {
  guarded(state, [&] { encode(state, llama2(), "text/books_kids/part-00.txt"); });
}

// Llama 3's pattern through PCRE2 instead of the scanner.
void encode_llama3_regex(benchmark::State& state) {
  guarded(state, [&] {
    Vocabulary vocabulary = llama3();
    vocabulary.split = SplitRule::kRegex;
    vocabulary.split_regex = kLlama3Pattern;
    encode(state, vocabulary, "text/books_kids/part-00.txt");
  });
}

// Short texts, as chat messages are.
void encode_llama3_lines(benchmark::State& state) {
  guarded(state, [&] {
    const Tokenizer tokenizer(llama3());
    const std::string text = read_file(data_path("text/tinystories/valid.txt"));
    std::vector<std::string_view> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      if (end > at) lines.push_back(std::string_view(text).substr(at, end - at));
      at = end + 1;
    }
    for (auto _ : state) {
      size_t tokens = 0;
      for (std::string_view line : lines) tokens += tokenizer.encode(line, false, false).size();
      benchmark::DoNotOptimize(tokens);
    }
    count_bytes(state, text.size());
  });
}

void decode_llama3(benchmark::State& state) {
  guarded(state, [&] {
    const Tokenizer tokenizer(llama3());
    const std::string text = read_file(data_path("text/books_kids/part-00.txt"));
    const std::vector<int32_t> ids = tokenizer.encode(text, false, false);
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer.decode(ids));
    count_bytes(state, text.size());
  });
}

// On as many threads as the argument says.
void train_4096(benchmark::State& state) {
  guarded(state, [&] {
    Threads threads(static_cast<int>(state.range(0)));
    std::vector<std::string> texts;
    size_t bytes = 0;
    for (int part = 0; part < 5; ++part) {
      texts.push_back(read_file(data_path("text/books_kids/part-0" + std::to_string(part) + ".txt")));
      bytes += texts.back().size();
    }
    for (auto _ : state) {
      BpeTrainer trainer({.vocab_size = 4096});
      for (const std::string& text : texts) trainer.add_text(text, threads);
      benchmark::DoNotOptimize(trainer.train());
    }
    count_bytes(state, bytes);
  });
}

// What a model's load pays: from the texts that GGUF holds, and from the vocabulary on.
void set_llama3_from_texts(benchmark::State& state) {
  guarded(state, [&] {
    const Vocabulary vocabulary = llama3();
    std::vector<std::string> texts;
    std::vector<TokenType> types;
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      texts.push_back(token_text(vocabulary, static_cast<int32_t>(id)));
      types.push_back(vocabulary.tokens[id].type);
    }
    const std::vector<std::string> merges = merge_texts(vocabulary);
    Vocabulary result;
    for (auto _ : state) set_byte_bpe(texts, types, merges, result);
  });
}

void construct_llama3(benchmark::State& state) {
  guarded(state, [&] {
    const Vocabulary vocabulary = llama3();
    for (auto _ : state) {
      state.PauseTiming();
      Vocabulary copy = vocabulary;
      state.ResumeTiming();
      const Tokenizer tokenizer(std::move(copy));
      benchmark::DoNotOptimize(tokenizer.vocab_size());
    }
  });
}

void validate_llama3(benchmark::State& state) {
  guarded(state, [&] {
    const Vocabulary vocabulary = llama3();
    for (auto _ : state) validate(vocabulary);
  });
}

void hash_llama3(benchmark::State& state) {
  guarded(state, [&] {
    const Vocabulary vocabulary = llama3();
    for (auto _ : state) benchmark::DoNotOptimize(vocabulary_hash(vocabulary));
  });
}

void read_llama3_tiktoken(benchmark::State& state) {
  guarded(state, [&] {
    const std::string content = read_file(data_path("tok/llama3/tokenizer.model"));
    const std::vector<std::string> special = llama3_special_tokens();
    for (auto _ : state) benchmark::DoNotOptimize(parse_tiktoken(content, special));
  });
}

void read_llama3_json(benchmark::State& state) {
  guarded(state, [&] {
    const std::string content = format_hf_tokenizer(llama3());
    for (auto _ : state) benchmark::DoNotOptimize(parse_hf_tokenizer(content));
    count_bytes(state, content.size());
  });
}

BENCHMARK(encode_llama3)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_llama3_lines)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_llama3_regex)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_llama2)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_llama3)->Unit(benchmark::kMillisecond);
BENCHMARK(train_4096)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(set_llama3_from_texts)->Unit(benchmark::kMillisecond);
BENCHMARK(construct_llama3)->Unit(benchmark::kMillisecond);
BENCHMARK(validate_llama3)->Unit(benchmark::kMillisecond);
BENCHMARK(hash_llama3)->Unit(benchmark::kMillisecond);
BENCHMARK(read_llama3_tiktoken)->Unit(benchmark::kMillisecond);
BENCHMARK(read_llama3_json)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tern

BENCHMARK_MAIN();
