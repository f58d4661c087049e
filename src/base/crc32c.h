// CRC-32C (Castagnoli), as in iSCSI and ext4: the checksum of our on-disk formats. It finds damage by
// accident, not by malice. Owned by: nobody. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::base {

// Of `bytes` that follow bytes whose checksum is `crc` (0: nothing came before).
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

// The same without the processor's own instruction: for machines that lack it, and to test the other.
[[nodiscard]] std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace parley::base
