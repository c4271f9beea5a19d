#include "tokenizer/bpe.h"

#include <map>

#include "tokenizer/basic_vocabularies.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

// The definition: while any pair of neighbours is in the list, merge the one of lowest rank, the leftmost of equals.
std::vector<int32_t> encode_by_definition(const Vocabulary& vocabulary, std::string_view piece) {
  std::map<std::pair<int32_t, int32_t>, std::pair<size_t, int32_t>> ranks;
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const Merge& merge = vocabulary.merges[rank];
    ranks[{merge.left, merge.right}] = {rank, merge.result};
  }
  std::vector<int32_t> ids;
  for (char byte : piece) ids.push_back(static_cast<uint8_t>(byte));
  while (true) {
    size_t best_at = ids.size();
    std::pair<size_t, int32_t> best = {vocabulary.merges.size(), -1};
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found == ranks.end() || found->second.first >= best.first) continue;
      best = found->second;
      best_at = i;
    }
    if (best_at == ids.size()) return ids;
    ids[best_at] = best.second;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at + 1));
  }
}

std::vector<int32_t> encode(const BpeMerger& merger, std::string_view piece, size_t least_room = 4096) {
  BpeMerger::Scratch scratch;
  scratch.least_room = least_room;
  std::vector<int32_t> ids;
  merger.encode(piece, scratch, ids);
  return ids;
}

// Merges in random order: nothing says that the parts of a token are merged before it.
Vocabulary random_vocabulary(std::mt19937& random, size_t merges) {
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kNone);
  std::map<std::string, int32_t> ids;
  const auto id_of = [&](const std::string& bytes) {
    if (bytes.size() == 1) return static_cast<int32_t>(static_cast<uint8_t>(bytes[0]));
    const auto [found, is_new] = ids.emplace(bytes, static_cast<int32_t>(vocabulary.tokens.size()));
    if (is_new) vocabulary.tokens.push_back({.bytes = bytes});
    return found->second;
  };
  while (vocabulary.merges.size() < merges) {
    std::string left, right;
    for (size_t i = random() % 3 + 1; i > 0; --i) left += static_cast<char>('a' + random() % 3);
    for (size_t i = random() % 3 + 1; i > 0; --i) right += static_cast<char>('a' + random() % 3);
    const Merge merge = {id_of(left), id_of(right), id_of(left + right)};
    vocabulary.merges.push_back(merge);
  }
  return vocabulary;
}

TEST(Bpe, ShortAndLongPiecesFollowTheDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const Vocabulary vocabulary = random_vocabulary(random, 1 + random() % 60);
    ASSERT_NO_THROW(validate(vocabulary));
    const BpeMerger merger(vocabulary);
    for (size_t size : {1, 2, 3, 5, 8, 13, 31, 32, 33, 34, 60, 150}) {
      std::string piece;
      for (size_t i = 0; i < size; ++i) piece += static_cast<char>('a' + random() % 3);
      ASSERT_EQ(encode(merger, piece), encode_by_definition(vocabulary, piece)) << piece;
    }
  }
}

// With room for few candidates, or an eighth of all, most of the time the later ones are not there.
TEST(Bpe, CandidatesThatHadNoRoomComeLater) {
  std::mt19937 random(8);
  for (int round = 0; round < (kSanitized ? 8 : 40); ++round) {
    const Vocabulary vocabulary = random_vocabulary(random, 1 + random() % 60);
    const BpeMerger merger(vocabulary);
    for (const size_t letters : {1, 2, 3}) {
      std::string piece;
      for (size_t i = 33 + random() % 500; i > 0; --i) piece += static_cast<char>('a' + random() % letters);
      for (const size_t room : {4, 7, 32}) {
        ASSERT_EQ(encode(merger, piece, room), encode_by_definition(vocabulary, piece)) << room << ": " << piece;
      }
    }
  }
}

TEST(Bpe, ALongRunOfOneLetter) {
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kNone);
  std::string token = "a";
  int32_t previous = 'a';
  for (int doubling = 0; doubling < 10; ++doubling) {
    token += token;
    const auto id = static_cast<int32_t>(vocabulary.tokens.size());
    vocabulary.tokens.push_back({.bytes = token});
    vocabulary.merges.push_back({previous, previous, id});
    previous = id;
  }
  const std::vector<int32_t> ids = encode(BpeMerger(vocabulary), std::string(kLongText, 'a'));
  EXPECT_EQ(ids, std::vector<int32_t>(kLongText / 1024, previous));
}

// The worst there is: pairs that all merge, in an order that leaves as many stale candidates as it can. What is taken
// from the heap or looked at to fill it is bounded by a multiple of the units, and so is the heap.
TEST(Bpe, CandidatesGrowAsTheSizeDoes) {
  std::mt19937 random(9);
  for (int round = 0; round < 12; ++round) {
    const Vocabulary vocabulary = random_vocabulary(random, 20 + random() % 200);
    const BpeMerger merger(vocabulary);
    std::string unit;
    for (size_t i = random() % 5 + 1; i > 0; --i) unit += static_cast<char>('a' + random() % 3);
    std::string piece;
    while (piece.size() < kLongText) piece += unit;
    BpeMerger::Scratch scratch;
    std::vector<int32_t> ids;
    merger.encode(piece, scratch, ids);
    EXPECT_LE(scratch.candidates, piece.size() * 60) << unit;
    EXPECT_LE(scratch.heap.capacity(), piece.size() / 8) << unit;
    EXPECT_LE(scratch.units.capacity(), piece.size()) << unit;
    EXPECT_LE(ids.capacity(), ids.size()) << unit;
    std::string bytes;
    for (const int32_t id : ids) bytes += vocabulary.tokens[static_cast<size_t>(id)].bytes;
    EXPECT_TRUE(bytes == piece) << unit;
  }
}

TEST(Bpe, IgnoreMergesTakesWholeTokens) {
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kNone);
  vocabulary.tokens.push_back({.bytes = "abc"});  // no merges lead to it
  EXPECT_EQ(encode(BpeMerger(vocabulary), "abc"), (std::vector<int32_t>{'a', 'b', 'c'}));
  vocabulary.ignore_merges = true;
  EXPECT_EQ(encode(BpeMerger(vocabulary), "abc"), (std::vector<int32_t>{256}));
  EXPECT_EQ(encode(BpeMerger(vocabulary), "abcd"), (std::vector<int32_t>{'a', 'b', 'c', 'd'}));
}

TEST(Bpe, ABytesWithoutTokenIsAnErrorOrUnknown) {
  Vocabulary vocabulary;
  vocabulary.tokens = {{.bytes = "a"}, {.bytes = "<unk>", .type = TokenType::kUnknown}};
  EXPECT_NE(error_of([&] { encode(BpeMerger(vocabulary), "ab"); }).find("byte 0x62"), std::string::npos);
  vocabulary.unk_id = 1;
  EXPECT_EQ(encode(BpeMerger(vocabulary), "ab"), (std::vector<int32_t>{0, 1}));
}

}  // namespace
}  // namespace tern
