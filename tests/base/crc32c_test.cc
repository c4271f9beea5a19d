#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace tern {
namespace {

// RFC 3720, appendix B.4, and the catalogue's check value of "123456789".
TEST(Crc32c, PublishedValues) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8A9136AAu);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\xff'))), 0x62A8AB43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(as_bytes(rising)), 0x46DD794Eu);
}

}  // namespace
}  // namespace tern
