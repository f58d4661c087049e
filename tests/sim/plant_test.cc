// Each check is proven by a bug that is planted into the harness: a check that cannot fail shows nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "effort.h"
#include "sim/soak.h"

namespace parley::sim {
namespace {

struct Planted {
  Plant plant;
  std::vector<Check> muted;        // those that see it earlier
  std::vector<std::string> found;  // by one of these; "aborted": the core itself refuses to go on
  std::size_t voters = 3;
};

std::string test_name(const testing::TestParamInfo<Planted>& info) {
  std::string text(name(info.param.plant));
  return info.param.muted.empty() ? text
                                  : text + "_with_" + std::to_string(info.param.muted.size()) + "_muted";
}

class PlantTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantTest, is_found) {
  const Planted& planted = GetParam();
  SoakOptions options{
      .run = Options{.voters = planted.voters, .plant = planted.plant}, .first_seed = 1, .last_seed = 1'000};
  for (const Check check : planted.muted) {
    options.run.muted.set(static_cast<std::size_t>(check));
  }
  const SoakResult result = soak(options);
  ASSERT_TRUE(result.failure) << "not found in " << result.seeds << " seeds";
  EXPECT_NE(std::find(planted.found.begin(), planted.found.end(), result.failure->check), planted.found.end())
      << "seed " << result.failure->seed << ": " << result.failure->check << ": " << result.failure->what;
}

// Without these only the cores, the state machines and the clients can notice.
const std::vector<Check> kDiskChecks = {Check::durable_before_message, Check::majority_durable,
                                        Check::core_invariants, Check::never_backwards, Check::one_vote};

std::vector<Check> disk_checks_and(std::initializer_list<Check> more) {
  std::vector<Check> checks = kDiskChecks;
  checks.insert(checks.end(), more);
  return checks;
}

INSTANTIATE_TEST_SUITE_P(
    Plants, PlantTest,
    testing::Values(Planted{Plant::skip_fsync, {}, {"durable_before_message"}},
                    Planted{Plant::skip_fsync, {Check::durable_before_message}, {"majority_durable"}},
                    Planted{Plant::lying_disk, {}, {"recovery"}},
                    Planted{Plant::persisted_early, {}, {"durable_before_message"}},
                    Planted{Plant::persisted_early,
                            disk_checks_and({Check::leader_completeness, Check::state_machine_safety,
                                             Check::log_matching}),
                            {"acknowledged_kept", "election_safety", "linearizable", "liveness", "aborted"}},
                    Planted{Plant::forget_term, {}, {"never_backwards"}},
                    Planted{Plant::forget_vote, {}, {"one_vote"}, 5},
                    Planted{Plant::every_vote_counts, {}, {"election_safety", "aborted"}},
                    Planted{Plant::altered_entry, {}, {"log_matching"}},
                    Planted{Plant::forget_tail, {}, {"leader_completeness"}},
                    Planted{Plant::forget_tail, {Check::leader_completeness}, {"state_machine_safety"}},
                    Planted{Plant::apply_twice, {}, {"state_machine_safety"}},
                    Planted{Plant::apply_out_of_turn, {}, {"state_machine_safety"}},
                    Planted{Plant::apply_differently, {}, {"state_machine_safety"}},
                    Planted{Plant::stale_read, {}, {"linearizable"}},
                    Planted{Plant::ack_before_commit, {}, {"acknowledged_kept"}},
                    Planted{Plant::retry_as_new, {}, {"exactly_once"}},
                    Planted{Plant::deaf_after_restart, {}, {"liveness"}},
                    Planted{Plant::endless_queue, {}, {"bounded"}}),
    test_name);

}  // namespace
}  // namespace parley::sim
