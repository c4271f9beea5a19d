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
  if (bytes == 0) fail("{}: expected text, it is empty", paths.empty() ? "TEXT" : paths[0]);
  return bytes;
}

Vocabulary train_bpe(const CLI::App& command, const std::vector<std::string>& paths, size_t& bytes) {
  BpeTrainOptions options;
  options.vocab_size = command.get_option("--vocab")->as<size_t>();
  options.split = parse_split_rule(command.get_option("--split")->as<std::string>());
  BpeTrainer trainer(options);
  Threads threads = make_threads(command.get_option("--threads")->as<int>());
  bytes = add_files(paths, [&](std::string_view text) { trainer.add_text(text, threads); });
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

void run_train(const CLI::App& command) {
  const auto start = std::chrono::steady_clock::now();
  const auto kind = command.get_option("--kind")->as<std::string>();
  const auto out = command.get_option("--out")->as<std::string>();
  const std::vector<std::string>& paths = command.get_option("TEXT")->results();
  if (kind != "byte" && paths.empty()) fail("TEXT: expected at least one text file for --kind {}, there is none", kind);
  size_t bytes = 0;
  const Tokenizer tokenizer(kind == "bpe"    ? train_bpe(command, paths, bytes)
                            : kind == "char" ? make_char_vocabulary(paths, bytes)
                                             : byte_vocabulary());
  write_hf_tokenizer(tokenizer.vocabulary(), out);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const size_t merges = tokenizer.vocabulary().merges.size();
  if (command.count("--json") > 0) {
    const ordered_json report = {{"kind", kind},       {"vocab_size", tokenizer.vocab_size()},
                                 {"merges", merges},   {"bytes", bytes},
                                 {"seconds", seconds}, {"hash", fmt::format("{:016x}", tokenizer.hash())},
                                 {"out", out}};
    write_stdout(json_text(report) + "\n");
    return;
  }
  write_stdout(fmt::format("{}: {} tokens, {} merges, from {} bytes in {:.2f} s\n", out, tokenizer.vocab_size(), merges,
                           bytes, seconds));
}

Tokenizer open_tokenizer(const CLI::App& command) {
  return Tokenizer(load_vocabulary(command.get_option("--tokenizer")->as<std::string>()));
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

void run_encode(const CLI::App& command) {
  const Tokenizer tokenizer = open_tokenizer(command);
  const std::string text = read_stdin();
  const bool add_bos = tokenizer.add_bos() && command.count("--no-bos") == 0;
  const bool parse_special = command.count("--no-special") == 0;
  if (command.count("--null") > 0) {
    for_each_record(text,
                    [&](std::string_view record) { write_ids(tokenizer.encode(record, add_bos, parse_special)); });
    return;
  }
  const std::vector<int32_t> ids = tokenizer.encode(text, add_bos, parse_special);
  if (command.count("--json") > 0) {
    write_stdout(json_text(ordered_json{{"tokens", ids.size()}, {"bytes", text.size()}, {"ids", ids}}) + "\n");
    return;
  }
  write_ids(ids);
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

void run_decode(const CLI::App& command) {
  const Tokenizer tokenizer = open_tokenizer(command);
  std::vector<int32_t> ids = parse_ids(read_stdin());
  // encode puts BOS in front of texts where the tokenizer wants it: it is no part of the text.
  const bool drops_bos =
      tokenizer.add_bos() && command.count("--no-bos") == 0 && !ids.empty() && ids[0] == tokenizer.bos_id();
  if (drops_bos) ids.erase(ids.begin());
  write_stdout(tokenizer.decode(ids));
}

// CLI11's add_flag without a variable to bind takes its description as std::string only.
void add_flag(CLI::App& command, const char* name, const std::string& description) {
  command.add_flag(name, description);
}

void add_tokenizer_train(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("train", "Make a vocabulary from text files and write it as tokenizer.json");
  command->add_option("--vocab", "Tokens in all, bytes and <|endoftext|> included (for --kind bpe)")
      ->default_str("4096");
  command->add_option("--out", "The file to write")->required();
  command->add_option("--kind", "bpe, byte (256 bytes) or char (one token a character)")
      ->default_str("bpe")
      ->check(CLI::IsMember({"bpe", "byte", "char"}));
  command->add_option("--split", "Where merges end: gpt2 or llama3")
      ->default_str("gpt2")
      ->check(CLI::IsMember({"gpt2", "llama3"}));
  command->add_option("-t,--threads", "Threads; 0: one for every available processor")->default_str("0");
  add_flag(*command, "--json", "Report as JSON");
  command->add_option("TEXT", "Text files; <|endoftext|> in them separates documents")
      ->expected(0, 1 << 20)
      ->allow_extra_args();
  command->callback([command] { run_train(*command); });
}

}  // namespace

void add_tokenizer_command(CLI::App& app) {
  CLI::App* group = app.add_subcommand("tokenizer", "Train a vocabulary, encode and decode text");
  group->require_subcommand(1);
  add_tokenizer_train(*group);

  CLI::App* encode = group->add_subcommand("encode", "Text on standard input to token ids on standard output");
  encode->add_option("--tokenizer", "tokenizer.json, tokenizer.model, tokenizer.bin, a GGUF file, or a directory")
      ->required();
  add_flag(*encode, "--ids", "Write ids, one line with spaces between (the default form)");
  add_flag(*encode, "--no-bos", "No BOS first, whatever the tokenizer's default");
  add_flag(*encode, "--no-special", "Names of special tokens in the text are text like any other");
  add_flag(*encode, "--json", "Write an object with the ids and counts");
  add_flag(*encode, "-0,--null", "Read texts that end with a byte of 0 and write a line of ids for each");
  encode->callback([encode] { run_encode(*encode); });

  CLI::App* decode = group->add_subcommand("decode", "Token ids on standard input to text on standard output");
  decode->add_option("--tokenizer", "tokenizer.json, tokenizer.model, tokenizer.bin, a GGUF file, or a directory")
      ->required();
  add_flag(*decode, "--ids", "Read ids with spaces between (the default form)");
  add_flag(*decode, "--no-bos", "The ids have no BOS in front: print a first BOS too");
  decode->callback([decode] { run_decode(*decode); });
}

}  // namespace tern
