#include "raft/codec.h"

#include <gtest/gtest.h>

#include <random>

namespace parley::raft {
namespace {

Member member(std::uint32_t id, std::uint64_t incarnation) {
  return {.id = NodeId(id), .incarnation = Incarnation(incarnation)};
}

Configuration joint_configuration() {
  return {.voters = {member(1, 11), member(2, 0xffff'ffff'ffff'ffff), member(4, 44)},
          .outgoing_voters = {member(1, 11), member(2, 22), member(3, 33)},
          .learners = {member(7, 77)},
          .next_learners = {member(3, 33)},
          .leaves_joint_by_itself = true};
}

Founding founding() {
  Founding value{.configuration = joint_configuration(), .state_seed = std::string(32, '\x5a')};
  for (std::size_t i = 0; i < value.cluster_id.bytes.size(); ++i) {
    value.cluster_id.bytes[i] = static_cast<std::uint8_t>(i + 1);
  }
  return value;
}

TEST(Codec, brings_back_what_was_encoded) {
  EXPECT_EQ(decode_configuration(encode(Configuration{})), Configuration{});
  EXPECT_EQ(decode_configuration(encode(joint_configuration())), joint_configuration());
  EXPECT_EQ(decode_founding(encode(founding())), founding());
  EXPECT_EQ(decode_founding(encode(Founding{})), Founding{});
}

// The layout is on disks: this is what docs/log-format.md says, byte by byte.
TEST(Codec, layout_does_not_change) {
  const Configuration configuration{.voters = {member(2, 3)}, .learners = {member(5, 0x0102)}};
  const std::string expected(
      "\x01\x00"
      "\x01\x00\x00\x00\x01\x00\x00\x00"
      "\x02\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"
      "\x05\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00",
      34);
  EXPECT_EQ(encode(configuration), expected);
}

TEST(Codec, refuses_every_shorter_and_longer_form) {
  const std::string configuration = encode(joint_configuration());
  for (std::size_t size = 0; size < configuration.size(); ++size) {
    EXPECT_FALSE(decode_configuration(configuration.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_configuration(configuration + '\0'));
  const std::string whole = encode(founding());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_founding(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_founding(whole + '\0'));
}

TEST(Codec, refuses_lists_that_are_unsorted_or_name_nobody) {
  EXPECT_FALSE(decode_configuration(encode(Configuration{.voters = {member(2, 1), member(1, 1)}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{.voters = {member(1, 1), member(1, 2)}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{.learners = {member(0, 1)}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{.next_learners = {member(1, 0)}})));
}

// Whatever foreign bytes decode to has exactly one form.
TEST(Codec, mutated_bytes_are_refused_or_are_the_form_of_what_they_say) {
  std::mt19937_64 random(20261120);
  const std::string whole = encode(founding());
  int decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 8));
    if (const auto value = decode_founding(bytes)) {
      ++decoded;
      EXPECT_EQ(encode(*value), bytes);
    }
  }
  EXPECT_GT(decoded, 1000);
}

}  // namespace
}  // namespace parley::raft
