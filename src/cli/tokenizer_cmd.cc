// `tern tokenizer train|encode|decode`.
#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/load.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/tokenizer.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

struct TokenizerArguments {
  std::vector<std::string> texts;
  std::string out;
  size_t vocab = 4096;
  std::string kind = "bpe";
  std::string split = "gpt2";
  bool json = false;
  int threads = 0;
};

// Of encode and of decode.
struct CodeArguments {
  std::string tokenizer;
  bool ids = false;  // the form there is; to be said where a command line is to show it
  bool no_bos = false;
  bool no_special = false;
  bool null = false;
  bool json = false;
  int threads = 0;
};

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void write_stdout(std::string_view text) {
  std::cout.write(text.data(), static_cast<std::streamsize>(text.size())).flush();
  if (!std::cout) fail("standard output: write failed");
}

// Gives each file to `add` as one text; returns the bytes of all.
template <class Add>
size_t add_files(const std::vector<std::string>& paths, Add&& add) {
  size_t bytes = 0;
  for (const std::string& path : paths) {
    const MappedFile file(path);
    bytes += file.bytes().size();
    add(as_text(file.bytes()));
  }
  if (bytes == 0) fail("{}: expected text, it is empty", paths.front());
  return bytes;
}

Vocabulary train_bpe(const TokenizerArguments& args, size_t& bytes) {
  BpeTrainOptions options;
  options.vocab_size = args.vocab;
  options.split = parse_split_rule(args.split);
  BpeTrainer trainer(options);
  Threads threads = make_threads(args.threads);
  bytes = add_files(args.texts, [&](std::string_view text) { trainer.add_text(text, threads); });
  Vocabulary vocabulary = trainer.train();
  if (vocabulary.tokens.size() < options.vocab_size) {
    std::cerr << "note: the text has no more pairs to merge: the vocabulary has " << vocabulary.tokens.size()
              << " tokens instead of " << options.vocab_size << "\n";
  }
  return vocabulary;
}

Vocabulary make_char_vocabulary(const std::vector<std::string>& paths, size_t& bytes) {
  CharVocabularyBuilder builder;
  bytes = add_files(paths, [&](std::string_view text) { builder.add_text(text); });
  return builder.build();
}

void train_tokenizer(const TokenizerArguments& args) {
  const auto start = std::chrono::steady_clock::now();
  if (args.kind != "byte" && args.texts.empty()) throw CLI::RequiredError("TEXT");
  size_t bytes = 0;
  const Tokenizer tokenizer(args.kind == "bpe"    ? train_bpe(args, bytes)
                            : args.kind == "char" ? make_char_vocabulary(args.texts, bytes)
                                                  : byte_vocabulary());
  write_hf_tokenizer(tokenizer.vocabulary(), args.out);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const size_t merges = tokenizer.vocabulary().merges.size();
  if (args.json) {
    const ordered_json report = {{"kind", args.kind},  {"vocab_size", tokenizer.vocab_size()},
                                 {"merges", merges},   {"bytes", bytes},
                                 {"seconds", seconds}, {"hash", fmt::format("{:016x}", tokenizer.hash())},
                                 {"out", args.out}};
    write_stdout(json_text(report) + "\n");
    return;
  }
  write_stdout(fmt::format("{}: {} tokens, {} merges, from {} bytes in {:.2f} s\n", args.out, tokenizer.vocab_size(),
                           merges, bytes, seconds));
}

// In parts: as text, the ids of a long input are several times as large as the input.
void write_ids(const std::vector<int32_t>& ids) {
  constexpr size_t kPart = size_t{64} << 10;
  std::string part;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) part += ' ';
    part += std::to_string(ids[i]);
    if (part.size() < kPart) continue;
    write_stdout(part);
    part.clear();
  }
  write_stdout(part + "\n");
}

// Each record ends with a byte of 0; the last may end with the text.
template <class Take>
void for_each_record(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const size_t size = std::min(text.find('\0'), text.size());
    take(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
  }
}

void encode(const CodeArguments& args) {
  const Tokenizer tokenizer(load_vocabulary(args.tokenizer));
  const std::string input = read_stdin();
  const bool add_bos = tokenizer.add_bos() && !args.no_bos;
  const auto encode_text = [&](std::string_view text) {
    const std::vector<int32_t> ids = tokenizer.encode(text, add_bos, !args.no_special);
    if (!args.json) return write_ids(ids);
    write_stdout(json_text(ordered_json{{"tokens", ids.size()}, {"bytes", text.size()}, {"ids", ids}}) + "\n");
  };
  if (args.null) return for_each_record(input, encode_text);
  encode_text(input);
}

std::vector<int32_t> parse_ids(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<int32_t> ids;
  for (size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;
       at = text.find_first_not_of(kSpace, at)) {
    const std::string_view word = text.substr(at, std::min(text.find_first_of(kSpace, at), text.size()) - at);
    int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      fail("standard input: expected token ids with spaces between, at byte {} it is '{}'", at, word.substr(0, 40));
    }
    ids.push_back(id);
    at += word.size();
  }
  return ids;
}

void decode(const CodeArguments& args) {
  const Tokenizer tokenizer(load_vocabulary(args.tokenizer));
  std::vector<int32_t> ids = parse_ids(read_stdin());
  // encode puts BOS in front of texts where the tokenizer wants it: it is no part of the text.
  const bool drops_bos = tokenizer.add_bos() && !args.no_bos && !ids.empty() && ids[0] == tokenizer.bos_id();
  if (drops_bos) ids.erase(ids.begin());
  write_stdout(tokenizer.decode(ids));
}

void add_tokenizer_train(CLI::App& parent) {
  auto args = std::make_shared<TokenizerArguments>();
  CLI::App& command =
      *parent.add_subcommand("train", "Make a vocabulary from text files and write it as tokenizer.json");
  command.add_option("--vocab", args->vocab, "Tokens in all, bytes and <|endoftext|> included (for --kind bpe)")
      ->capture_default_str();
  command.add_option("--out", args->out, "The file to write")->required();
  command.add_option("--kind", args->kind, "bpe, byte (256 bytes) or char (one token a character)")
      ->capture_default_str()
      ->check(CLI::IsMember({"bpe", "byte", "char"}));
  command.add_option("--split", args->split, "Where merges end: gpt2 or llama3")
      ->capture_default_str()
      ->check(CLI::IsMember({"gpt2", "llama3"}));
  command.add_flag("--json", args->json, "Report as JSON");
  add_threads_option(command, args->threads);
  command.add_option("TEXT", args->texts, "Text files; <|endoftext|> in them separates documents");
  command.callback([args] { train_tokenizer(*args); });
}

void add_code_options(CLI::App& command, CodeArguments& args) {
  command
      .add_option("--tokenizer", args.tokenizer,
                  "tokenizer.json, tokenizer.model, tokenizer.bin, a GGUF file, or a directory")
      ->required();
  add_one_thread_option(command, args.threads);
}

void add_tokenizer_encode(CLI::App& parent) {
  auto args = std::make_shared<CodeArguments>();
  CLI::App& command = *parent.add_subcommand("encode", "Text on standard input to token ids on standard output");
  add_code_options(command, *args);
  command.add_flag("--ids", args->ids, "Write ids, one line with spaces between (the default form)");
  command.add_flag("--no-bos", args->no_bos, "No BOS first, whatever the tokenizer's default");
  command.add_flag("--no-special", args->no_special, "Names of special tokens in the text are text like any other");
  command.add_flag("--json", args->json, "Write an object with the ids and counts");
  command.add_flag("-0,--null", args->null, "Read texts that end with a byte of 0 and write a line for each");
  command.callback([args] { encode(*args); });
}

void add_tokenizer_decode(CLI::App& parent) {
  auto args = std::make_shared<CodeArguments>();
  CLI::App& command = *parent.add_subcommand("decode", "Token ids on standard input to text on standard output");
  add_code_options(command, *args);
  command.add_flag("--ids", args->ids, "Read ids with spaces between (the default form)");
  command.add_flag("--no-bos", args->no_bos, "The ids have no BOS in front: print a first BOS too");
  command.callback([args] { decode(*args); });
}

}  // namespace

void add_tokenizer_command(CLI::App& app) {
  CLI::App& group = *app.add_subcommand("tokenizer", "Train a vocabulary, encode and decode text");
  group.require_subcommand(1);
  add_tokenizer_train(group);
  add_tokenizer_encode(group);
  add_tokenizer_decode(group);
}

}  // namespace tern
