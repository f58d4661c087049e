#include "base/uuid7.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/hex.h"

namespace parley::base {
namespace {

// The example of RFC 9562, appendix A.6.
constexpr const char* kExample = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

TEST(RequestId, ExampleOfTheRfc) {
  const auto id = parse_request_id(kExample);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->unix_ms(), 1645557742000);
  EXPECT_EQ(to_string(*id), kExample);
}

TEST(RequestId, MadeIdsAreOrderedByTime) {
  const std::array<std::uint8_t, 10> high{255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  const std::array<std::uint8_t, 10> low{};
  EXPECT_LT(make_request_id(1000, high), make_request_id(1001, low));
  const auto again = parse_request_id(to_string(make_request_id(1000, high)));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, make_request_id(1000, high));
}

TEST(RequestId, WhatIsNoUuid7) {
  for (const std::string text : {
           "",
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398",    // short
           "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",   // version 4
           "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",   // another variant
           "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",   // no dash
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",   // no digit
           "017f22e279b0-7cc3-98c4-dc0c0c07398f00",  // dashes elsewhere
       }) {
    EXPECT_FALSE(parse_request_id(text).has_value()) << text;
  }
}

TEST(Hex, ThereAndBack) {
  const std::string bytes("\x00\x7f\xff", 3);
  EXPECT_EQ(to_hex(bytes), "007fff");
  EXPECT_EQ(from_hex("007FfF"), bytes);
  EXPECT_FALSE(from_hex("0").has_value());
  EXPECT_FALSE(from_hex("0x").has_value());
}

}  // namespace
}  // namespace parley::base
