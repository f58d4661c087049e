// Random lives: the commands of the golden scripts in random order, with crashes, lost, doubled and reordered
// messages, slow disks, partitions, changes of membership, compaction and snapshots. All invariants are
// checked after every command (ScriptWorld); at the end everything heals, and the cluster must be live with
// all logs equal. The simulation in tests/sim goes further; this one stays below the core's own roof and is
// quick.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "raft/random.h"
#include "script_world.h"

namespace parley::raft::testing {
namespace {

// Some of everything that may be called at any time, and what the core says to it.
std::vector<Output> feed(Core& core, std::uint64_t seed) {
  constexpr std::uint64_t kFirstReadId = 1'000'000'000;  // beyond those of the life
  Random random(seed);
  std::vector<Output> said;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::uint64_t what = random.below(4);
    if (what == 0) {
      core.tick();
    } else if (what == 1) {
      [[maybe_unused]] const auto index = core.propose(Payload(fmt::format("value {}", i)));
    } else if (what == 2) {
      core.read(kFirstReadId + i);
    } else {
      said.push_back(core.take_output());
    }
  }
  said.push_back(core.take_output());
  return said;
}

// A core is a value: copies that hear the same are and say the same, one that hears something else differs,
// and what they were copied from stays as it is.
std::string not_a_value(const Core& core, std::uint64_t seed) {
  const Core before = core;  // NOLINT(performance-unnecessary-copy-initialization): the copy is the test
  const std::uint64_t hash_before = core.hash();
  if (before.hash() != hash_before || !(before == core)) return "a copy differs";
  Core one = core;
  Core other = core;
  if (feed(one, seed) != feed(other, seed)) return "copies that hear the same say something else";
  if (!(one == other) || one.hash() != other.hash()) return "copies that hear the same differ";
  if (!(core == before) || core.hash() != hash_before) return "a copy shares something with its original";
  const auto& voters = core.configuration().voters;
  const auto peer =
      std::ranges::find_if(voters, [&](const Member& member) { return member.id != core.config().self.id; });
  if (peer == voters.end()) return "";
  other.step({.from = *peer,
              .to = core.config().self,
              .term = Term(other.term().value() + 1),
              .body = HeartbeatRequest{.commit = {}, .round = 0}});
  if (one == other || one.hash() == other.hash()) return "one that hears of a new leader is still the same";
  return "";
}

class Life {
 public:
  // Every fourth life is a wild one, the others have two, four or eight times fewer faults.
  Life(std::uint64_t seed, int nodes) : random_(seed), calm_(1U << (seed % 4)) {
    std::string voters;
    for (int i = 1; i <= nodes; ++i) {
      names_.push_back(std::to_string(i));
      voters += (i > 1 ? "," : "") + names_.back();
    }
    // Small limits, so that windows fill, caches lose entries and the state machine falls behind.
    run("cluster voters=" + voters +
        " election=6 heartbeat=2 cached=3 max_cached_bytes=300 max_inflight_appends=3 max_append_entries=3 "
        "max_uncommitted_bytes=2000 max_unapplied_bytes=300");
  }

  void live(int steps) {
    for (int i = 0; i < steps && broken_.empty(); ++i) {
      if (random_.below(100) == 0) revolt();
      run(random_command());
      if (i % 64 == 0) check_values(static_cast<std::uint64_t>(i));
    }
  }

  // No more faults: some leader must come, commit a last entry, and everybody must have it.
  void heal() {
    run("heal");
    for (const std::string& name : names_) {
      if (!world_.nodes().at(name).core) run("restart " + name);
      run("may-campaign " + name);
      run("apply " + name + " hold=false");
      run("fetch " + name + " hold=false");
    }
    for (int i = 0; i < 300 && broken_.empty(); ++i) {
      run("tick");
      run("stabilize");
      for (const std::string& name : names_) run("install " + name);
    }
    run("stabilize");
    for (const std::string& name : names_) {
      if (world_.nodes().at(name).core->role() == Role::leader) run("propose " + name + " last");
    }
    for (int i = 0; i < 10; ++i) {
      run("tick");
      run("stabilize");
    }
  }

  // Every voter of the leader's configuration has applied the same, and the last entry is among it.
  [[nodiscard]] std::string unequal() const {
    const ScriptNode* leader = nullptr;
    for (const auto& [name, node] : world_.nodes()) {
      if (node.core->role() == Role::leader) leader = &node;
    }
    if (leader == nullptr) return "no leader";
    if (leader->applied.empty() || leader->applied.back().data.view() != "last")
      return "the last entry is not there";
    for (const auto& [name, node] : world_.nodes()) {
      const auto& voters = leader->core->configuration().voters;
      if (std::ranges::find(voters, node.config.self) == voters.end()) continue;
      if (node.applied != leader->applied) return "node " + name + " has applied something else";
    }
    return "";
  }

  [[nodiscard]] const std::string& broken() const { return broken_; }
  [[nodiscard]] const std::map<std::string, int>& done() const { return done_; }
  [[nodiscard]] std::string story() const {
    std::string text;
    const std::size_t from = story_.size() > 150 ? story_.size() - 150 : 0;
    for (std::size_t i = from; i < story_.size(); ++i) text += story_[i];
    return text;
  }

 private:
  void check_values(std::uint64_t seed) {
    for (const auto& [name, node] : world_.nodes()) {
      if (!node.core) continue;
      const std::string wrong = not_a_value(*node.core, seed);
      if (!wrong.empty()) broken_ = "node " + name + ": " + wrong;
      ++done_["(compared)"];
    }
  }

  // Leaders change often: some forget theirs, and one of them campaigns.
  void revolt() {
    for (const std::string& name : names_) {
      if (world_.nodes().at(name).core && random_.below(4) != 0) run("forget-leader " + name);
    }
    const std::string name = any_node();
    if (world_.nodes().at(name).core) run("campaign " + name);
  }

  std::string run(const std::string& line) {
    const std::string answer = world_.run(line);
    story_.push_back("> " + line + "\n" + answer);
    ++done_[line.substr(0, line.find(' '))];
    if (answer.find("committed") != std::string::npos) ++done_["(committed)"];
    if (answer.find(" at ") != std::string::npos) ++done_["(read answered)"];
    if (answer.find("installed") != std::string::npos) ++done_["(installed)"];
    if (answer.find("fetch from") != std::string::npos) ++done_["(fetched)"];
    if (answer.find("BROKEN") != std::string::npos) broken_ = answer;
    return answer;
  }

  std::string any_node() { return names_[random_.below(names_.size())]; }

  std::string any_voters() {
    std::vector<std::string> chosen;
    while (chosen.size() < 2) {
      chosen.clear();
      for (const std::string& name : names_) {
        if (random_.below(3) != 0) chosen.push_back(name);
      }
    }
    std::string text;
    for (const std::string& name : chosen) text += (text.empty() ? "" : ",") + name;
    return text;
  }

  std::string random_command() {
    const std::string name = any_node();
    const ScriptNode& node = world_.nodes().at(name);
    const std::uint64_t dice = random_.below(1000);
    if (!node.core)
      return dice < 150 ? fmt::format("restart {} lose={}", name, random_.below(4)) : "deliver count=2";
    if (dice < 160) return "tick " + name;
    if (dice < 380) return "output " + name;
    if (dice < 530) return node.writes.empty() ? "output " + name : "persist " + name + " count=1";
    if (dice < 760) return fmt::format("deliver count={}", 1 + random_.below(6));
    if (dice < 800) return fmt::format("deliver to={} count=3", name);
    if (dice < 860) return random_.below(calm_) == 0 ? random_fault(name, dice) : "deliver count=4";
    return random_call(name, dice);
  }

  std::string random_fault(const std::string& name, std::uint64_t dice) {
    if (dice < 815) return fmt::format("drop to={} count={}", name, 1 + random_.below(4));
    if (dice < 825) return "duplicate from=" + name;
    if (dice < 835) return "reorder to=" + name;
    if (dice < 845) return fmt::format("crash {} stored={}", name, random_.below(3));
    if (dice < 850) return "isolate " + name;
    return "heal";
  }

  std::string random_call(const std::string& name, std::uint64_t dice) {
    const std::string other = any_node();
    if (dice < 905) return fmt::format("propose {} p{} count={}", name, next_id_++, 1 + random_.below(4));
    if (dice < 935) return fmt::format("read {} id={}", name, next_id_++);
    if (dice < 945) return "heal";
    if (dice < 955) return fmt::format("transfer {} to={}", name, other);
    if (dice < 960) return "compact " + name;
    if (dice < 965) return "install " + name;
    if (dice < 975) return "propose-configuration " + name + " voters=" + any_voters();
    if (dice < 980) return fmt::format("apply {} hold={}", name, random_.below(2) == 0 ? "true" : "false");
    if (dice < 985) return fmt::format("{} {}", random_.below(2) == 0 ? "forget-leader" : "campaign", name);
    if (dice < 988) return fmt::format("{} {}", random_.below(2) == 0 ? "step-down" : "may-campaign", name);
    if (dice < 991) return fmt::format("commit-news-may-wait {} allowed={}", name, random_.below(2) == 0);
    return "fetch " + name;
  }

  Random random_;
  std::uint64_t calm_;
  std::vector<std::string> names_;
  ScriptWorld world_;
  std::uint64_t next_id_ = 1;
  std::vector<std::string> story_;
  std::map<std::string, int> done_;
  std::string broken_;
};

const std::vector<std::string> kMustHappen = {
    "crash",       "restart",         "drop",      "duplicate",  "reorder",
    "isolate",     "transfer",        "compact",   "read",       "propose",
    "(committed)", "(read answered)", "(fetched)", "(compared)", "propose-configuration"};

std::map<std::string, int> live_and_die(std::uint64_t first_seed, std::uint64_t seeds, int nodes, int steps) {
  std::map<std::string, int> done;
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    Life life(seed, nodes);
    life.live(steps);
    EXPECT_EQ(life.broken(), "") << "seed " << seed << "\n" << life.story();
    life.heal();
    EXPECT_EQ(life.broken(), "") << "healing, seed " << seed << "\n" << life.story();
    EXPECT_EQ(life.unequal(), "") << "seed " << seed << "\n" << life.story();
    if (::testing::Test::HasFailure()) break;
    for (const auto& [what, times] : life.done()) done[what] += times;
  }
  return done;
}

// What never happened was not tested.
void expect_happened(const std::map<std::string, int>& done, const std::vector<std::string>& what) {
  for (const std::string& name : what) {
    const int times = done.contains(name) ? done.at(name) : 0;
    EXPECT_GT(times, 0) << name;
    ::testing::Test::RecordProperty(name, times);
  }
}

// PARLEY_LIVES=N: N times as many lives.
std::uint64_t lives(std::uint64_t count) {
  const char* factor = std::getenv("PARLEY_LIVES");  // NOLINT(concurrency-mt-unsafe): one thread
  return factor == nullptr ? count : count * std::stoull(factor);
}

TEST(RandomLives, three_nodes) {
  const auto done = live_and_die(1, lives(60), 3, 1500);
  expect_happened(done, kMustHappen);
  expect_happened(done, {"(installed)"});
}
TEST(RandomLives, five_nodes) {
  const auto done = live_and_die(1'000'000, lives(30), 5, 2000);
  expect_happened(done, kMustHappen);
  expect_happened(done, {"(installed)"});
}
// Both are needed for everything: no snapshot is ever needed.
TEST(RandomLives, two_nodes) { expect_happened(live_and_die(2'000'000, lives(20), 2, 1000), kMustHappen); }

}  // namespace
}  // namespace parley::raft::testing
