#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace parley::base {
namespace {

// Vectors of RFC 3720, B.4, and the usual check value.
TEST(Crc32c, gives_the_published_values) {
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  for (auto* const crc : {crc32c, crc32c_portable}) {
    EXPECT_EQ(crc("123456789", 0), 0xe306'9283);
    EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8a91'36aa);
    EXPECT_EQ(crc(std::string(32, '\xff'), 0), 0x62a8'ab43);
    EXPECT_EQ(crc(ascending, 0), 0x46dd'794e);
    EXPECT_EQ(crc("", 0), 0);
  }
}

TEST(Crc32c, goes_on_from_any_point_and_agrees_with_the_portable_one) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random() % 300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    const std::uint32_t whole = crc32c(bytes);
    EXPECT_EQ(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))), whole);
    EXPECT_EQ(crc32c_portable(bytes), whole);
    EXPECT_EQ(crc32c_portable(bytes.substr(cut), crc32c_portable(bytes.substr(0, cut))), whole);
  }
}

}  // namespace
}  // namespace parley::base
