// How often pieces of text occur: what training of vocabularies knows of its texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// Memory grows with the distinct pieces only. Counts of the parts of a text, added in their order, are those of the
// text.
class PieceCounts {
 public:
  struct Piece {
    size_t at;  // its bytes in bytes()
    uint32_t size;
    uint64_t hash;
    int64_t count;
  };

  void add(std::string_view piece);
  void add(const PieceCounts& other);

  // In order of first appearance.
  const std::vector<Piece>& pieces() const { return pieces_; }
  const std::string& bytes() const { return bytes_; }
  // Error when there were 2^32 distinct pieces or one of 4 GiB: what is too large is not counted.
  void check() const;

 private:
  void add(std::string_view piece, uint64_t hash, int64_t count);
  void grow_slots();

  std::string bytes_;
  std::vector<Piece> pieces_;
  std::vector<uint32_t> slots_ = std::vector<uint32_t>(1024);  // open addressing: index into pieces_ + 1, 0 is empty
  bool is_too_large_ = false;
};

}  // namespace tern
