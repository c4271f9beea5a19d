#include "tokenizer/normalize.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "tokenizer/normalization_tables.h"

namespace tern {
namespace {

// Hangul syllables are computed (The Unicode Standard, 3.12): leading consonant, vowel, trailing consonant or none.
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTrails = 0x11A7;
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kTrailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

constexpr bool is_in(char32_t value, char32_t first, char32_t count) { return value >= first && value - first < count; }

uint64_t pair_key(char32_t first, char32_t second) { return uint64_t{first} << 32 | second; }

class Tables {
 public:
  Tables() {
    for (const CombiningRange& range : combining_ranges()) {
      for (char32_t value = range.first; value <= range.last; ++value) classes_[value] = range.combining_class;
    }
    for (const Decomposition& pair : composing_pairs()) {
      composed_[pair_key(pair.first, pair.second)] = pair.composed;
      parts_[pair.composed] = pair;
      mark(pair.second);
    }
    for (const Decomposition& parts : one_way_decompositions()) {
      parts_[parts.composed] = parts;
      mark(parts.composed);
    }
    for (const auto& [value, combining_class] : classes_) mark(value);
    for (char32_t i = 0; i < kVowelCount; ++i) mark(kVowels + i);
    for (char32_t i = 1; i < kTrailCount; ++i) mark(kTrails + i);
  }

  // Whether the character is in form C by itself and has nothing to do with those before it.
  bool begins_anew(char32_t value) const {
    return value < kFirstMarked || value / 64 >= marks_.size() || (marks_[value / 64] >> value % 64 & 1) == 0;
  }

  uint8_t combining_class(char32_t value) const {
    const auto found = classes_.find(value);
    return found == classes_.end() ? 0 : found->second;
  }

  // 0 when the two are no character together.
  char32_t compose(char32_t first, char32_t second) const {
    if (is_in(first, kLeads, kLeadCount) && is_in(second, kVowels, kVowelCount)) {
      return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTrailCount;
    }
    const bool has_no_trail = is_in(first, kSyllables, kSyllableCount) && (first - kSyllables) % kTrailCount == 0;
    if (has_no_trail && is_in(second, kTrails + 1, kTrailCount - 1)) return first + (second - kTrails);
    const auto found = composed_.find(pair_key(first, second));
    return found == composed_.end() ? 0 : found->second;
  }

  // Calls take(character) for all that the character is made of. Decompositions are a few steps deep.
  template <class Take>
  void decompose(char32_t value, const Take& take) const {
    if (is_in(value, kSyllables, kSyllableCount)) {
      const char32_t index = value - kSyllables, trail = index % kTrailCount;
      take(kLeads + index / (kVowelCount * kTrailCount));
      take(kVowels + index / kTrailCount % kVowelCount);
      if (trail != 0) take(kTrails + trail);
      return;
    }
    const auto found = parts_.find(value);
    if (found == parts_.end()) {
      take(value);
      return;
    }
    decompose(found->second.first, take);
    if (found->second.second != 0) decompose(found->second.second, take);
  }

 private:
  static constexpr char32_t kFirstMarked = 0x300;

  void mark(char32_t value) { marks_[value / 64] |= uint64_t{1} << value % 64; }

  std::vector<uint64_t> marks_ = std::vector<uint64_t>(0x110000 / 64);  // a bit for each code point
  std::unordered_map<char32_t, uint8_t> classes_;
  std::unordered_map<char32_t, Decomposition> parts_;
  std::unordered_map<uint64_t, char32_t> composed_;
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

struct Character {
  char32_t value;
  uint8_t combining_class;
};

// The characters from one that begins anew to the next: taken apart, marks in the order of their classes, composed.
class Run {
 public:
  void add(char32_t value) {
    tables().decompose(value, [&](char32_t part) { run_.push_back({part, tables().combining_class(part)}); });
  }

  void append_to(std::string& text) {
    sort_marks();
    compose();
    for (const Character& character : run_) append_utf8(text, character.value);
    run_.clear();
  }

 private:
  void sort_marks() {
    const auto is_mark = [](const Character& character) { return character.combining_class != 0; };
    for (auto first = run_.begin(); first != run_.end();) {
      first = std::find_if(first, run_.end(), is_mark);
      const auto last = std::find_if_not(first, run_.end(), is_mark);
      std::stable_sort(first, last,
                       [](const Character& a, const Character& b) { return a.combining_class < b.combining_class; });
      first = last;
    }
  }

  // A character joins the last one of class 0 unless another that stayed between has its class or a higher one.
  void compose() {
    size_t kept = 0, starter = run_.size();
    for (const Character character : run_) {
      const bool is_next = starter < kept && starter + 1 == kept;
      const bool is_free = starter < kept && (is_next || run_[kept - 1].combining_class < character.combining_class);
      const char32_t composed = is_free ? tables().compose(run_[starter].value, character.value) : 0;
      if (composed != 0) {
        run_[starter].value = composed;
        continue;
      }
      if (character.combining_class == 0) starter = kept;
      run_[kept++] = character;
    }
    run_.resize(kept);
  }

  std::vector<Character> run_;
};

// Whether the byte belongs to a character below U+0300, all of which begin anew; an invalid byte changes nothing
// either.
bool is_plain(char byte) { return static_cast<uint8_t>(byte) < 0xCC; }

}  // namespace

bool may_change_in_nfc(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (is_plain(text[at])) {
      ++at;
      continue;
    }
    const CodePoint point = decode_utf8(text, at);
    if (point.valid && !tables().begins_anew(point.value)) return true;
    at += point.size;
  }
  return false;
}

std::string to_nfc(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  Run run;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid || tables().begins_anew(point.value)) run.append_to(result);
    if (point.valid) run.add(point.value);
    if (!point.valid) result.append(text, at, point.size);
    at += point.size;
  }
  run.append_to(result);
  return result;
}

}  // namespace tern
