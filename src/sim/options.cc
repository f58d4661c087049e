#include "sim/options.h"

namespace parley::sim {
namespace {

constexpr std::array<std::string_view, kPlants> kPlantNames = {
    "none",         "skip_fsync",        "lying_disk",        "persisted_early",
    "forget_term",  "forget_vote",       "every_vote_counts", "altered_entry",
    "forget_tail",  "apply_twice",       "apply_out_of_turn", "apply_differently",
    "stale_read",   "ack_before_commit", "retry_as_new",      "deaf_after_restart",
    "endless_queue"};

constexpr std::array<std::string_view, kChecks> kCheckNames = {"election_safety",
                                                               "one_vote",
                                                               "durable_before_message",
                                                               "log_matching",
                                                               "leader_completeness",
                                                               "majority_durable",
                                                               "state_machine_safety",
                                                               "never_backwards",
                                                               "acknowledged_kept",
                                                               "exactly_once",
                                                               "linearizable",
                                                               "recovery",
                                                               "bounded",
                                                               "core_invariants",
                                                               "liveness"};

template <class Enum, std::size_t Size>
std::optional<Enum> find_name(const std::array<std::string_view, Size>& names, std::string_view text) {
  for (std::size_t i = 0; i < Size; ++i) {
    if (names[i] == text) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

// Small limits bring out what large ones hide: waiting, splitting, refusing, fetching from disk.
raft::FlowConfig small_limits(Rng& rng) {
  raft::FlowConfig flow;
  flow.max_append_size_bytes = rng.between(64, 2'000);
  flow.max_append_entries = rng.between(1, 8);
  flow.max_inflight_appends = rng.between(1, 8);
  flow.max_inflight_bytes = rng.between(256, 8'000);
  flow.max_uncommitted_bytes = rng.between(400, 8'000);
  flow.max_cached_bytes = rng.between(64, 2'000);
  flow.max_unapplied_bytes = rng.between(64, 2'000);
  flow.max_pending_reads = rng.between(1, 10);
  return flow;
}

NetworkOptions draw_network(Rng& rng) {
  NetworkOptions network;
  network.loss_percent = rng.coin() ? rng.between(1, 30) : 0;
  network.replay_percent = rng.coin() ? rng.between(1, 50) : 0;
  network.delay_min = Duration(rng.between(50, 500));
  network.delay_max = network.delay_min + Duration(rng.chance(25) ? 40'000 : 2'000);
  network.keeps_order = rng.coin();
  network.max_queued = rng.chance(15) ? rng.between(2, 8) : 4'096;
  return network;
}

DiskOptions draw_disk(Rng& rng) {
  DiskOptions disk;
  disk.sync_min = Duration(rng.between(50, 300));
  disk.sync_max = disk.sync_min + Duration(rng.chance(30) ? 20'000 : 1'000);
  disk.keep_percent = rng.below(101);
  disk.has_real_log = rng.chance(30);
  disk.recovered_entries = rng.coin() ? rng.between(0, 20) : 1'000'000;
  return disk;
}

ClientOptions draw_clients(Rng& rng) {
  ClientOptions clients;
  clients.count = rng.between(2, 6);
  clients.think_max = Duration(rng.between(1'000, 60'000));
  clients.read_percent = rng.between(10, 60);
  clients.request_loss_percent = rng.coin() ? rng.between(1, 15) : 0;
  clients.reply_loss_percent = rng.coin() ? rng.between(1, 15) : 0;
  clients.padding_max_bytes = rng.chance(20) ? 1'500 : 60;
  clients.attempts_max = rng.coin() ? 3 : 20;
  return clients;
}

// Most plants are made for the model of a disk; and a vote is given twice only where nodes come back while
// others still stand for election in the same term.
void help_plant(Plant plant, Scenario& scenario) {
  if (plant == Plant::none) {
    return;
  }
  scenario.disk.has_real_log = plant == Plant::lying_disk;
  if (plant == Plant::forget_vote) {
    scenario.trouble_max = Duration(20'000);
    scenario.nemesis_pause_max = Duration(50'000);
    for (const Fault fault : {Fault::crash, Fault::crash_after_store_vote, Fault::crash_after_reply,
                              Fault::duel_of_candidates, Fault::crash_of_leader}) {
      scenario.on.set(static_cast<std::size_t>(fault));
    }
  }
}

}  // namespace

std::string_view name(Plant plant) { return kPlantNames[static_cast<std::size_t>(plant)]; }
std::string_view name(Check check) { return kCheckNames[static_cast<std::size_t>(check)]; }
std::optional<Plant> plant_named(std::string_view text) { return find_name<Plant>(kPlantNames, text); }
std::optional<Check> check_named(std::string_view text) { return find_name<Check>(kCheckNames, text); }

Scenario make_scenario(const Options& options) {
  Rng rng(options.seed * 31 + options.voters);
  Scenario scenario;
  scenario.timing.heartbeat_ticks = static_cast<std::uint32_t>(rng.between(1, 3));
  scenario.timing.election_timeout_ticks = static_cast<std::uint32_t>(rng.between(10, 20));
  if (rng.chance(40)) {
    scenario.flow = small_limits(rng);
  }
  scenario.network = draw_network(rng);
  scenario.disk = draw_disk(rng);
  scenario.clients = draw_clients(rng);
  scenario.apply_max = Duration(rng.chance(20) ? 30'000 : 500);
  scenario.state_commit_every = Duration(rng.between(5'000, 200'000));
  scenario.nemesis_pause_max = Duration(rng.between(20'000, 400'000));
  // Quick restarts bring back a process while what its last life sent is still under way.
  scenario.trouble_max =
      Duration(rng.chance(30) ? rng.between(5'000, 50'000) : rng.between(50'000, 2'000'000));
  scenario.tells_of_crashes = rng.coin();
  scenario.forwards = rng.chance(75);
  scenario.compacts = rng.coin();
  for (const Fault fault : faults_for(options.voters)) {
    scenario.on[static_cast<std::size_t>(fault)] = rng.coin();
  }
  help_plant(options.plant, scenario);
  scenario.reconfigures = scenario.has(Fault::reconfiguration) && rng.coin();
  scenario.spares = scenario.reconfigures ? 2 : 0;
  scenario.crash_news_spread = Duration(rng.coin() ? 500 : 50'000);
  scenario.turn_max = Duration(rng.coin() ? rng.between(10, 3'000) : 0);
  return scenario;
}

}  // namespace parley::sim
