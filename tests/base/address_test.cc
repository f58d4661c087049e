#include "base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace parley::base {
namespace {

using ::testing::HasSubstr;

TEST(Address, HostAndPort) {
  const auto address = parse_address("node3.example:7701");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->host, "node3.example");
  EXPECT_EQ(address->port, 7701);
  EXPECT_EQ(to_string(*address), "node3.example:7701");
}

TEST(Address, Ipv6StandsInBrackets) {
  const auto address = parse_address("[::1]:7700");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->host, "::1");
  EXPECT_TRUE(address->is_loopback());
  EXPECT_EQ(to_string(*address), "[::1]:7700");
  EXPECT_FALSE(parse_address("::1:7700").has_value());
}

TEST(Address, SchemeIsRefusedWithAHint) {
  const auto address = parse_address("http://localhost:8080/");
  ASSERT_FALSE(address.has_value());
  EXPECT_THAT(address.error(), HasSubstr("\"localhost:8080\""));
}

TEST(Address, WhatIsNoAddress) {
  for (const std::string text :
       {"", "host", ":1", "host:", "host:0", "host:65536", "host:-1", "host:1x", "a b:1", "a,b:1"}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
  EXPECT_TRUE(parse_address("host:0", true).has_value());
}

TEST(Address, Loopback) {
  EXPECT_TRUE((Address{"127.0.0.9", 1}).is_loopback());
  EXPECT_TRUE((Address{"localhost", 1}).is_loopback());
  EXPECT_FALSE((Address{"192.0.2.1", 1}).is_loopback());
}

}  // namespace
}  // namespace parley::base
