#include "raft/log.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "testing.h"

namespace parley::raft {
namespace {

using testing::entry;

Log log_of(const std::vector<std::uint64_t>& terms) {
  Log log({});
  for (std::size_t i = 0; i < terms.size(); ++i) log.append(entry(i + 1, terms[i]));
  return log;
}

void store_all(Log& log) {
  static_cast<void>(log.hand_over());
  log.mark_stored(log.last());
}

TEST(Log, knows_the_term_of_every_entry) {
  const Log log = log_of({1, 1, 3, 3, 4});
  EXPECT_EQ(log.term_at(Index(0)), Term(0));
  EXPECT_EQ(log.term_at(Index(2)), Term(1));
  EXPECT_EQ(log.term_at(Index(3)), Term(3));
  EXPECT_EQ(log.term_at(Index(5)), Term(4));
  EXPECT_EQ(log.term_at(Index(6)), std::nullopt);
  EXPECT_EQ(log.last_term(), Term(4));
}

TEST(Log, compares_by_term_before_length) {
  const Log log = log_of({1, 2, 2});
  EXPECT_TRUE(log.is_up_to_date(Index(3), Term(2)));
  EXPECT_TRUE(log.is_up_to_date(Index(1), Term(3)));
  EXPECT_FALSE(log.is_up_to_date(Index(2), Term(2)));
  EXPECT_FALSE(log.is_up_to_date(Index(9), Term(1)));
}

TEST(Log, finds_where_another_log_may_agree) {
  const Log log = log_of({1, 1, 2, 2, 5, 5});
  EXPECT_EQ(log.last_with_term_at_most(Index(6), Term(5)), Index(6));
  EXPECT_EQ(log.last_with_term_at_most(Index(6), Term(4)), Index(4));
  EXPECT_EQ(log.last_with_term_at_most(Index(5), Term(1)), Index(2));
  EXPECT_EQ(log.last_with_term_at_most(Index(9), Term(9)), Index(6));
  EXPECT_EQ(log.last_with_term_at_most(Index(3), Term(0)), Index(0));
}

TEST(Log, hands_each_entry_to_the_disk_once) {
  Log log = log_of({1, 1});
  EXPECT_EQ(log.hand_over().size(), 2U);
  EXPECT_TRUE(log.hand_over().empty());
  log.append(entry(3, 2));
  const auto handed = log.hand_over();
  ASSERT_EQ(handed.size(), 1U);
  EXPECT_EQ(handed.front().index, Index(3));
  EXPECT_EQ(log.stored(), Index(0));
  log.mark_stored(Index(2));
  EXPECT_EQ(log.stored(), Index(2));
}

TEST(Log, an_overridden_suffix_is_neither_stored_nor_handed) {
  Log log = log_of({1, 1, 1, 1});
  store_all(log);
  log.truncate_from(Index(3));
  EXPECT_EQ(log.last(), Index(2));
  EXPECT_EQ(log.stored(), Index(2));
  log.append(entry(3, 2));
  EXPECT_EQ(log.hand_over().front(), entry(3, 2));
  EXPECT_EQ(log.term_at(Index(3)), Term(2));
  EXPECT_EQ(log.term_at(Index(4)), std::nullopt);
}

TEST(Log, trims_only_what_is_stored_and_done_with) {
  Log log = log_of({1, 1, 1, 1});
  log.trim_cache(Index(4), 0);
  EXPECT_NE(log.cached(Index(1)), nullptr) << "not stored yet";
  static_cast<void>(log.hand_over());
  log.mark_stored(Index(3));
  log.trim_cache(Index(2), 0);
  EXPECT_EQ(log.cached(Index(2)), nullptr);
  EXPECT_NE(log.cached(Index(3)), nullptr) << "not applied yet";
  EXPECT_EQ(log.first_cached(), Index(3));
  EXPECT_EQ(log.term_at(Index(1)), Term(1)) << "terms stay";
}

TEST(Log, slices_by_count_and_size) {
  Log log({});
  for (std::uint64_t i = 1; i <= 5; ++i) log.append(entry(i, 1, std::string(1000, 'x')));
  EXPECT_EQ(log.slice(Index(2), Index(5), 2, 1'000'000).size(), 2U);
  EXPECT_EQ(log.slice(Index(2), Index(5), 9, 2500).size(), 2U);
  EXPECT_EQ(log.slice(Index(2), Index(5), 9, 1).size(), 1U) << "at least one";
  EXPECT_EQ(log.slice(Index(4), Index(5), 9, 1'000'000).size(), 2U);
  EXPECT_TRUE(log.slice(Index(6), Index(5), 9, 1'000'000).empty());
}

TEST(Log, compacts_inside_and_at_the_end_of_a_term) {
  for (const std::uint64_t at : {1U, 2U, 3U, 4U}) {
    Log log = log_of({1, 1, 2, 2});
    store_all(log);
    log.compact({.index = Index(at), .term = *log.term_at(Index(at))});
    EXPECT_EQ(log.term_at(Index(at - 1)), std::nullopt);
    EXPECT_EQ(log.term_at(Index(at)), Term(at <= 2 ? 1 : 2));
    EXPECT_EQ(log.term_at(Index(4)), Term(2));
    EXPECT_EQ(log.last(), Index(4));
    EXPECT_EQ(log.last_term(), Term(2));
    log.append(entry(5, 3));
    EXPECT_EQ(log.term_at(Index(5)), Term(3));
  }
}

// Field bug: an install keeps a conflicting suffix (hashicorp/raft#697).
TEST(Log, install_keeps_a_suffix_only_where_the_log_agrees) {
  Log agrees = log_of({1, 1, 2, 2});
  store_all(agrees);
  EXPECT_TRUE(agrees.install({.index = Index(3), .term = Term(2)}));
  EXPECT_EQ(agrees.last(), Index(4));

  Log conflicts = log_of({1, 1, 1, 1});
  store_all(conflicts);
  EXPECT_FALSE(conflicts.install({.index = Index(3), .term = Term(2)}));
  EXPECT_EQ(conflicts.last(), Index(3));
  EXPECT_EQ(conflicts.last_term(), Term(2));
  EXPECT_EQ(conflicts.term_at(Index(4)), std::nullopt);
}

TEST(Log, install_ahead_of_what_the_disk_was_given) {
  Log log = log_of({1, 1, 2, 2});
  EXPECT_TRUE(log.install({.index = Index(3), .term = Term(2)}));
  EXPECT_EQ(log.stored(), Index(3));
  const auto handed = log.hand_over();
  ASSERT_EQ(handed.size(), 1U) << "what the snapshot holds needs no entry";
  EXPECT_EQ(handed.front().index, Index(4));
}

// Against the plainest model: a vector of terms.
RC_GTEST_PROP(LogProperty, is_a_vector_of_terms, ()) {
  Log log({});
  std::vector<Term> model{Term(0)};
  Term newest(1);
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
  for (const int step : steps) {
    if (step < 70 || model.size() < 2) {
      newest = Term(newest.value() + (step % 7 == 0 ? 1 : 0));
      log.append(entry(model.size(), newest.value()));
      model.push_back(newest);
    } else {
      const std::size_t from = 1 + static_cast<std::size_t>(step) % (model.size() - 1);
      log.truncate_from(Index(from));
      model.resize(from);
      newest = newest.next();
    }
    if (step % 5 == 0) static_cast<void>(log.hand_over());
    if (step % 11 == 0) log.mark_stored(log.handed());
  }
  RC_ASSERT(log.last().value() + 1 == model.size());
  for (std::size_t i = 0; i < model.size(); ++i) RC_ASSERT(log.term_at(Index(i)) == model[i]);
  RC_ASSERT(log.stored() <= log.handed() && log.handed() <= log.last());
}

}  // namespace
}  // namespace parley::raft
