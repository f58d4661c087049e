// Founding (design.md, rule 1; must-pass.md, J1): no cluster is founded twice, and nobody votes who has
// forgotten.
#include "node/founding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/address_book.h"
#include "node/admission.h"
#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ListedNode> list() {
  return {{base::NodeId(1), "a:1"}, {base::NodeId(2), "b:1"}, {base::NodeId(3), "c:1"}};
}

base::ClusterId cluster(std::uint8_t byte) {
  base::ClusterId id;
  id.bytes.fill(byte);
  return id;
}

FoundingSecrets secrets() { return {.cluster_id = cluster(7), .state_seed = std::string(32, 's')}; }

Hello hello(const raft::Member& from, std::vector<ListedNode> founders = list()) {
  return {.cluster_id = {}, .self = from, .peer_address = "x:1", .founders = std::move(founders)};
}

Hello with_state(const raft::Member& from, std::uint8_t cluster_byte = 7) {
  Hello result = hello(from);
  result.cluster_id = cluster(cluster_byte);
  return result;
}

raft::Founding founding(const std::vector<raft::Member>& voters) {
  raft::Founding result{.configuration = {}, .cluster_id = cluster(7), .state_seed = std::string(32, 's')};
  result.configuration.voters = voters;
  return result;
}

TEST(Founding, WaitsUntilEveryListedNodeHasSaidThatItHasNoState) {
  Founder founder(member(1), list(), std::nullopt);
  EXPECT_FALSE(founder.decide(secrets()));
  EXPECT_THAT(founder.trouble(), HasSubstr("nodes 2, 3"));
  founder.heard(hello(member(2)));
  EXPECT_FALSE(founder.decide(secrets()));
  EXPECT_THAT(founder.trouble(), HasSubstr("node 3"));
  founder.heard(hello(member(3)));
  const auto decided = founder.decide(secrets());
  ASSERT_TRUE(decided);
  EXPECT_THAT(decided->configuration.voters, ElementsAre(member(1), member(2), member(3)));
  EXPECT_FALSE(founder.decide(secrets())) << "once";
}

TEST(Founding, OnlyTheLowestIdFounds) {
  Founder founder(member(2), list(), std::nullopt);
  founder.heard(hello(member(1)));
  founder.heard(hello(member(3)));
  EXPECT_FALSE(founder.decide(secrets()));
}

TEST(Founding, ANodeThatWentAwayHasNotAnswered) {
  Founder founder(member(1), list(), std::nullopt);
  founder.heard(hello(member(2)));
  founder.lost(member(2));
  founder.heard(hello(member(3)));
  EXPECT_FALSE(founder.decide(secrets()));
}

TEST(Founding, TheLateFarewellOfAnEarlierLifeChangesNothing) {
  Founder founder(member(1), list(), std::nullopt);
  founder.heard(hello(member(2, 22)));
  founder.lost(member(2, 21));
  founder.heard(hello(member(3)));
  const auto decided = founder.decide(secrets());
  ASSERT_TRUE(decided);
  EXPECT_EQ(decided->configuration.voters[1], member(2, 22));
}

TEST(Founding, HellosUnderMadeUpIdsAreBoundedAndKeepNobodyOut) {
  Founder founder(member(1), list(), std::nullopt);
  for (std::uint32_t id = 10; id < 10'000; ++id) {
    founder.heard(hello(member(id)));
  }
  EXPECT_LE(founder.heard_count(), 64U);
  founder.heard(hello(member(2)));
  founder.heard(hello(member(3)));
  EXPECT_TRUE(founder.decide(secrets()));
}

TEST(AddressBook, HellosUnderMadeUpIdsAreBoundedAndPushNoListedPeerOut) {
  AddressBook book(base::NodeId(1), list());
  Hello moved = hello(member(2));
  moved.peer_address = "moved:1";
  book.heard(moved);
  raft::Configuration everybody;
  for (std::uint32_t id = 10; id < 2'000; ++id) {
    book.heard(with_state(member(id)));
    everybody.learners.push_back(member(id));
  }
  EXPECT_LE(book.peers(everybody, true).size(), 64U);
  EXPECT_EQ(book.peer_address(base::NodeId(2)), "moved:1");
  EXPECT_EQ(book.peer_address(base::NodeId(1'999)), "x:1") << "the newest is known";
}

TEST(Founding, ListsThatDifferFoundNothing) {
  Founder founder(member(1), list(), std::nullopt);
  auto other = list();
  other[2].peer_address = "elsewhere:1";
  founder.heard(hello(member(2)));
  founder.heard(hello(member(3), other));
  EXPECT_FALSE(founder.decide(secrets()));
}

// J1: C's disk is wiped and C starts again with the same command line, even as the lowest id.
TEST(Founding, J1WhoHearsOfAListedPeerWithStateNeverFounds) {
  Founder founder(member(1, 99), list(), std::nullopt);
  founder.heard(with_state(member(2)));
  founder.heard(hello(member(3)));
  EXPECT_FALSE(founder.decide(secrets()));
  // Whatever that peer says later.
  founder.heard(hello(member(2, 55)));
  EXPECT_FALSE(founder.decide(secrets()));
  EXPECT_THAT(founder.trouble(), HasSubstr("node 2 has"));
}

TEST(Founding, EntryOneIsOfferedOnlyOnceItIsStored) {
  Founder founder(member(1), list(), std::nullopt);
  founder.heard(hello(member(2)));
  founder.heard(hello(member(3)));
  const auto decided = founder.decide(secrets());
  ASSERT_TRUE(decided);
  EXPECT_THAT(founder.take_offers(), IsEmpty());
  founder.stored(*decided);
  EXPECT_THAT(founder.take_offers(), ElementsAre(member(2), member(3)));
  EXPECT_THAT(founder.take_offers(), IsEmpty());
}

TEST(Founding, AnOfferThatNoLinkTookIsMadeAgain) {
  Founder founder(member(1), list(), std::nullopt);
  founder.heard(hello(member(2)));
  founder.heard(hello(member(3)));
  const auto decided = founder.decide(secrets());
  ASSERT_TRUE(decided);
  founder.stored(*decided);
  ASSERT_THAT(founder.take_offers(), ElementsAre(member(2), member(3)));
  founder.not_offered(member(3));
  founder.heard(hello(member(3)));
  EXPECT_THAT(founder.take_offers(), ElementsAre(member(3))) << "once";
}

// J1: the founder is wiped after one node has stored entry 1: that node brings the others up.
TEST(Founding, J1WhoeverHoldsEntryOneOffersIt) {
  Founder holder(member(2), list(), founding({member(1), member(2), member(3)}));
  holder.heard(hello(member(1, 99)));
  holder.heard(hello(member(3)));
  EXPECT_THAT(holder.take_offers(), ElementsAre(member(3))) << "not to the new life of node 1";
}

TEST(Founding, AnOfferIsTakenOnlyByWhomItNames) {
  const auto offer = founding({member(1), member(2), member(3)});
  EXPECT_TRUE(Founder(member(3), list(), std::nullopt).takes(offer));
  EXPECT_FALSE(Founder(member(3, 99), list(), std::nullopt).takes(offer)) << "another incarnation";
  EXPECT_FALSE(Founder(member(3), list(), offer).takes(offer)) << "it has state";
}

TEST(Founding, AFounderThatDecidedTakesNoOther) {
  Founder founder(member(1), list(), std::nullopt);
  founder.heard(hello(member(2)));
  founder.heard(hello(member(3)));
  ASSERT_TRUE(founder.decide(secrets()));
  EXPECT_FALSE(founder.takes(founding({member(1), member(2)})));
}

TEST(Founding, AListOfOneIsAClusterOfOne) {
  Founder founder(member(1), {{base::NodeId(1), "a:1"}}, std::nullopt);
  const auto decided = founder.decide(secrets());
  ASSERT_TRUE(decided);
  EXPECT_THAT(decided->configuration.voters, ElementsAre(member(1)));
}

TEST(Founding, WithoutAListNothingIsFounded) {
  EXPECT_FALSE(Founder(member(1), {}, std::nullopt).decide(secrets()));
}

raft::Configuration members() {
  raft::Configuration result;
  result.voters = {member(1), member(2), member(3)};
  return result;
}

TEST(Admission, OfTheSameClusterAMemberInItsIncarnationAlone) {
  const Admission admission(member(1), list(), cluster(7), members());
  EXPECT_TRUE(admission.check(with_state(member(2))));
  EXPECT_TRUE(admission.check(hello(member(2)))) << "it may be waiting for entry 1";
  EXPECT_FALSE(admission.check(with_state(member(2), 8))) << "another cluster";
  EXPECT_FALSE(admission.check(with_state(member(4)))) << "no member";
  const auto wiped = admission.check(hello(member(3, 99)));
  ASSERT_FALSE(wiped);
  EXPECT_THAT(wiped.error(), HasSubstr("node 3"));
  EXPECT_THAT(wiped.error(), HasSubstr("refused as a voter"));
}

TEST(Admission, J1ListsThatDifferAreRefusedAndNamed) {
  const Admission admission(member(1), list(), {}, {});
  EXPECT_TRUE(admission.check(hello(member(2))));
  auto other = list();
  other[2].peer_address = "elsewhere:1";
  const auto refused = admission.check(hello(member(2), other));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("3=c:1"));
  EXPECT_THAT(refused.error(), HasSubstr("3=elsewhere:1"));
}

TEST(Admission, WithoutStateWhoHasStateIsHeard) {
  const Admission admission(member(1), list(), {}, {});
  EXPECT_TRUE(admission.check(with_state(member(2))));
}

}  // namespace
}  // namespace parley::node::testing
