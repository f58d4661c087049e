#include "raft/durability.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace parley::raft {
namespace {

using testing::member;

Message ack(std::uint32_t to, std::uint64_t match, std::uint64_t term = 1) {
  return {.from = member(9),
          .to = member(to),
          .term = Term(term),
          .body = AppendResponse{.match_index = Index(match)}};
}

TEST(Durability, a_message_waits_for_its_batch) {
  Durability durability;
  durability.hold(ack(1, 5), true);
  EXPECT_TRUE(durability.release().empty());
  ASSERT_EQ(durability.start_batch(Index(5)), 1U);
  EXPECT_TRUE(durability.release().empty());
  EXPECT_EQ(durability.finish_batch(1), Index(5));
  EXPECT_EQ(durability.release(), std::vector{ack(1, 5)});
  EXPECT_TRUE(durability.release().empty());
}

TEST(Durability, nothing_to_store_is_stored) {
  Durability durability;
  durability.hold(ack(1, 0), false);
  EXPECT_EQ(durability.release().size(), 1U);
}

TEST(Durability, a_later_batch_reports_those_before_it) {
  Durability durability;
  static_cast<void>(durability.start_batch(Index(5)));
  static_cast<void>(durability.start_batch(Index(7)));
  EXPECT_EQ(durability.finish_batch(2), Index(7));
  EXPECT_EQ(durability.finish_batch(1), std::nullopt) << "old news";
  EXPECT_EQ(durability.finished_batch(), 2U);
}

TEST(Durability, an_override_lowers_what_earlier_batches_count_for) {
  Durability durability;
  static_cast<void>(durability.start_batch(Index(5)));
  durability.truncate_from(Index(4));
  static_cast<void>(durability.start_batch(Index(4)));
  EXPECT_EQ(durability.finish_batch(1), Index(3));
  EXPECT_EQ(durability.finish_batch(2), Index(4));
}

TEST(Durability, answers_that_wait_for_the_same_batch_are_one) {
  Durability durability;
  static_cast<void>(durability.start_batch(Index(9)));
  durability.hold(ack(1, 5), false);
  durability.hold(ack(1, 7), false);
  static_cast<void>(durability.finish_batch(1));
  EXPECT_EQ(durability.release(), std::vector{ack(1, 7)});
}

TEST(Durability, answers_to_others_of_other_terms_or_less_far_are_not) {
  Durability durability;
  static_cast<void>(durability.start_batch(Index(9)));
  durability.hold(ack(1, 7), false);
  durability.hold(ack(2, 7), false);
  durability.hold(ack(2, 8, 2), false);
  durability.hold(ack(2, 3, 2), false);
  static_cast<void>(durability.finish_batch(1));
  EXPECT_EQ(durability.release().size(), 4U);
}

TEST(Durability, a_new_term_drops_what_waits) {
  Durability durability;
  durability.hold(ack(1, 5), true);
  durability.drop_held();
  static_cast<void>(durability.start_batch(Index(5)));
  static_cast<void>(durability.finish_batch(1));
  EXPECT_TRUE(durability.release().empty());
}

TEST(DurabilityDeathTest, a_batch_that_was_never_given_out_is_not_stored) {
  Durability durability;
  EXPECT_DEATH(static_cast<void>(durability.finish_batch(1)), "only a batch that was given out");
}

}  // namespace
}  // namespace parley::raft
