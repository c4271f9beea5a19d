// CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of TFRecord files.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace tern {

uint32_t crc32c(Bytes bytes);

}  // namespace tern
